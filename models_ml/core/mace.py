"""MACE: annotators who either know the answer or have a habit."""

from __future__ import annotations

from functools import partial

import numpy as np

from models_ml.core.votes import Aggregate, Floats, Votes, probability_right, settled, sigmoid

COMPETENCE_PRIOR = (0.5, 0.5)  # Beta, of Hovy et al. 2013
HABIT_PRIOR = 10.0  # Dirichlet, of their program; the paper names none
STARTS = 10
TRIAL = 50  # rounds of each start; both as in their program
_EQUAL = 1e-6  # log-likelihoods nearer than this are one outcome


def mace(votes: Votes, *, seed: int = 0) -> Aggregate:
    """Return the consensus where an annotator either knows the item or answers by habit.

    Variational Bayes from ten random starts, of which the likeliest is followed to its end.
    Competence is the probability of knowing; as any habit is right on half of equally likely
    truths, reliability is (1 + competence) / 2, never below ½: this model has no adversaries.
    Source: Hovy et al. 2013, sections 2 and 3.2.
    """
    step = partial(_step, votes)
    generator = np.random.default_rng(seed)
    best, rounds, highest = np.empty((2, votes.annotators, 2)), 0, -np.inf
    for _ in range(STARTS):
        drawn = generator.uniform(1, 2.5, best.shape)  # as in their program
        state, tried = settled(step, drawn / drawn.sum(axis=2, keepdims=True), most=TRIAL)
        likelihood = float(np.logaddexp(*_likelihoods(votes, state)).sum())
        if likelihood > highest + _EQUAL:  # else the first of equals
            best, rounds, highest = state, tried, likelihood
    state, iterations = settled(step, best)
    rejected, accepted = _likelihoods(votes, state)
    competence = state[0, :, 0] / state[0].sum(axis=1)
    return Aggregate(sigmoid(accepted - rejected), (1 + competence) / 2, rounds + iterations)


def _likelihoods(votes: Votes, state: Floats) -> Floats:
    """Return how likely each item's votes are where it is to be rejected, or accepted; (2, items).

    In logarithms. state: (2, annotators, 2), of each annotator the weights of knowing and of not,
    and of a habit to reject and to accept.
    """
    knows, guesses = _ways(votes, state)
    if_right, if_wrong = np.log(knows + guesses), np.log(guesses)
    return np.stack(
        [
            votes.by_item(np.where(votes.accepted == truth, if_right, if_wrong))
            for truth in (False, True)
        ]
    )


def _ways(votes: Votes, state: Floats) -> tuple[Floats, Floats]:
    """Return the weights of both ways to each vote, by knowledge and by habit, (votes,) each."""
    competence, habit = state
    who = votes.annotator
    return competence[who, 0], competence[who, 1] * habit[who, votes.accepted.astype(np.int64)]


def _step(votes: Votes, state: Floats) -> Floats:
    """Return the state after one round: how often each way was taken, then its expected log."""
    knows, guesses = _ways(votes, state)
    rejected, accepted = _likelihoods(votes, state)
    knowing = probability_right(votes, sigmoid(accepted - rejected)) * knows / (knows + guesses)
    guessed = 1 - knowing
    ways = [votes.by_annotator(values) for values in (knowing, guessed)]
    habits = [votes.by_annotator(guessed * on) for on in (~votes.accepted, votes.accepted)]
    return np.stack(
        [
            _expected(np.stack(ways, axis=1) + COMPETENCE_PRIOR),
            _expected(np.stack(habits, axis=1) + HABIT_PRIOR),
        ]
    )


def _expected(counts: Floats) -> Floats:
    """Return exp E log of probabilities under Dirichlets of such counts, (n, k)."""
    return np.exp(digamma(counts) - digamma(counts.sum(axis=1, keepdims=True)))


def digamma(x: Floats) -> Floats:
    """Return ψ(x) of positive numbers, to twelve digits.

    ψ(x) = ψ(x + 1) - 1/x up to where its asymptotic series holds (Abramowitz & Stegun 6.3.5,
    6.3.18). Ours, as scipy may not be imported here.
    """
    below = sum(1 / (x + i) for i in range(10))
    inverse = 1 / (x + 10) ** 2
    series = inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse / 240)))
    result: Floats = np.log(x + 10) - 0.5 / (x + 10) - series - below
    return result
