"""One answer out of many people's: how likely each pair of words is to be accepted.

Every method also says how often each annotator is right. numpy alone, so that the web process may
import it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models_ml.core.mace import mace
from models_ml.core.votes import Aggregate, Floats, Votes, probability_right, settled, sigmoid

__all__ = [
    "AGGREGATORS",
    "DEFAULT_AGGREGATOR",
    "Aggregate",
    "Votes",
    "aggregate",
    "constraint_weights",
    "strengths_behind",
]

Beta = tuple[float, float]  # a prior's parameters; (1, 1) leaves everything to the votes

DEFAULT_AGGREGATOR = "one_coin"

# An annotator whom nobody checked is right three times in four. Above ½, so that of the two
# solutions that fit votes alike, everybody right or everybody wrong, the first is found.
ACCURACY_PRIOR: Beta = (4, 2)
# Of items to accept, as if ten had been accepted and ten rejected. Where one person voted, nothing
# tells a careful annotator of a lopsided list from a careless one: without it, whoever accepts nine
# in ten is outvoted by that share.
SHARE_PRIOR: Beta = (11, 11)
_LEAST = 1e-10  # a probability is never nearer to 0 or 1 than this


def aggregate(votes: Votes, method: str = DEFAULT_AGGREGATOR) -> Aggregate:
    """Return the consensus of the votes by a method of AGGREGATORS; ValueError for another name."""
    if method not in _METHODS:
        raise ValueError(f"aggregator {method!r} is none of {', '.join(AGGREGATORS)}")
    return _METHODS[method](votes)


def constraint_weights(posterior: Floats) -> Floats:
    """Return 2p - 1, (items,): its sign accepts or rejects, its size is how sure that is."""
    return 2 * posterior - 1


def strengths_behind(posterior: Floats, votes: Votes, strengths: Floats) -> Floats:
    """Return the mean strength of the votes for what each item came to, (items,), 0 to 1.

    strengths: (votes,), how strongly each vote was given; 1 for a plain accept or reject. Where an
    item came to what nobody voted for, or to nothing, it is the mean of all of its votes.
    """
    is_for = (posterior[votes.item] > 0.5) == votes.accepted
    is_for &= posterior[votes.item] != 0.5
    has_any = np.bincount(votes.item[is_for], minlength=votes.items) > 0
    counts = is_for | ~has_any[votes.item]
    sums = np.bincount(votes.item[counts], strengths[counts], minlength=votes.items)
    return sums / np.bincount(votes.item[counts], minlength=votes.items)


def majority(votes: Votes) -> Aggregate:
    """Return the share of accepts; reliability as in `weighted`."""
    return Aggregate(_shares(votes), _agreement_with_others(votes, ACCURACY_PRIOR), 0)


def weighted(votes: Votes, *, accuracy_prior: Beta = ACCURACY_PRIOR) -> Aggregate:
    """Return the vote in which each annotator weighs the log-odds of being right.

    Reliability is how often an annotator agrees with the majority of the others, so that nobody
    vouches for themselves. These weights are the best where accuracies are known, errors
    independent and both answers equally likely: Nitzan & Paroush 1982.
    """
    reliability = _agreement_with_others(votes, accuracy_prior)
    evidence = votes.signs * _logit(reliability)[votes.annotator]
    return Aggregate(sigmoid(votes.by_item(evidence)), reliability, 0)


def one_coin(
    votes: Votes, *, accuracy_prior: Beta = ACCURACY_PRIOR, share_prior: Beta = SHARE_PRIOR
) -> Aggregate:
    """Return the consensus where each annotator is right with one probability, whatever is true.

    Expectation maximisation from `weighted` on: the most probable accuracies, and share of items
    to accept, under Beta priors; flat ones give the maximum likelihood.
    Source: Dawid & Skene 1979, with one accuracy an annotator as in Zhang et al. 2016.
    """

    def accuracy(posterior: Floats) -> Floats:
        right = probability_right(votes, posterior)
        return _most_probable(votes.by_annotator(right), votes.by_annotator(), accuracy_prior)

    def next_posterior(posterior: Floats) -> Floats:
        evidence = votes.signs * _logit(accuracy(posterior))[votes.annotator]
        return _posterior(votes, evidence, _share(votes, posterior, share_prior))

    posterior, iterations = settled(next_posterior, weighted(votes).posterior)
    return Aggregate(posterior, accuracy(posterior), iterations)


def dawid_skene(
    votes: Votes, *, accuracy_prior: Beta = ACCURACY_PRIOR, share_prior: Beta = SHARE_PRIOR
) -> Aggregate:
    """Return the consensus where an annotator has an accuracy for either truth: a 2 × 2 confusion.

    Otherwise as `one_coin`. Reliability is the accuracy over the estimated shares of both truths.
    Source: Dawid & Skene 1979.
    """

    def accuracies(posterior: Floats) -> tuple[Floats, Floats]:
        """Return how often each annotator accepts what is to be accepted, and rejects the rest."""
        of_truth, answers = posterior[votes.item], votes.accepted
        return (
            _most_probable(
                votes.by_annotator(of_truth * answers), votes.by_annotator(of_truth), accuracy_prior
            ),
            _most_probable(
                votes.by_annotator((1 - of_truth) * ~answers),
                votes.by_annotator(1 - of_truth),
                accuracy_prior,
            ),
        )

    def next_posterior(posterior: Floats) -> Floats:
        accepts, rejects = (rate[votes.annotator] for rate in accuracies(posterior))
        ratio = np.where(votes.accepted, accepts / (1 - rejects), (1 - accepts) / rejects)
        return _posterior(votes, np.log(ratio), _share(votes, posterior, share_prior))

    posterior, iterations = settled(next_posterior, weighted(votes).posterior)
    share, (accepts, rejects) = _share(votes, posterior, share_prior), accuracies(posterior)
    return Aggregate(posterior, share * accepts + (1 - share) * rejects, iterations)


def _shares(votes: Votes) -> Floats:
    """Return the share of accepts, (items,); 0.5 where nobody voted."""
    return (1 + _ratio(votes.by_item(votes.signs), votes.by_item())) / 2


def _agreement_with_others(votes: Votes, prior: Beta) -> Floats:
    """Return how often each annotator agrees with the majority of the others, (annotators,).

    Votes where the others are tied, or where there are none, tell nothing.
    """
    others = votes.by_item(votes.signs)[votes.item] - votes.signs
    right = votes.by_annotator((others * votes.signs > 0).astype(np.float64))
    return _most_probable(right, votes.by_annotator((others != 0).astype(np.float64)), prior)


def _most_probable(right: Floats, of: Floats, prior: Beta) -> Floats:
    """Return the most probable rate under a Beta prior; 0.5 where nothing speaks for any."""
    above, below = prior[0] - 1, prior[1] - 1
    rate = _ratio(2 * (right + above) - (of + above + below), of + above + below)
    return np.clip((1 + rate) / 2, _LEAST, 1 - _LEAST)


def _share(votes: Votes, posterior: Floats, prior: Beta) -> float:
    """Return the most probable share of items to accept, among those with votes."""
    judged = posterior[votes.by_item() > 0]
    return float(_most_probable(judged.sum(keepdims=True), np.array([len(judged)]), prior)[0])


def _posterior(votes: Votes, evidence: Floats, share: float) -> Floats:
    """Return the probability of each item by its votes' log-odds, (votes,), and the prior share."""
    log_odds = votes.by_item(evidence) + _logit(np.array(share))
    return np.where(votes.by_item() > 0, sigmoid(log_odds), 0.5)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Return the quotient, 0 where the denominator is."""
    return np.divide(numerator, denominator, out=np.zeros(len(denominator)), where=denominator > 0)


def _logit(probability: Floats) -> Floats:
    result: Floats = np.log(probability) - np.log1p(-probability)
    return result


_METHODS: dict[str, Callable[[Votes], Aggregate]] = {
    "majority": majority,
    "weighted": weighted,
    "one_coin": one_coin,
    "dawid_skene": dawid_skene,
    "mace": mace,
}
AGGREGATORS = tuple(_METHODS)
