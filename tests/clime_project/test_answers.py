"""How answers of every form become weighted constraints: each person's, and those of all."""

import numpy as np
import pytest

from annotation import consensus
from annotation.models import Consensus, Judgement
from clime_project import answers
from models_ml.core import aggregation
from models_ml.core.constraints import ACCEPTED, REJECTED, Constraint
from models_ml.refining import word_id
from tasks.models import AnswerForm
from tests.factories import make_project, make_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    """Three keywords, each beside two words in each language."""
    return make_project(answer_form=AnswerForm.GRADED)


def say(session, position, place, verdict, strength=None, **fields):
    """Let a session say something of the word at a place beside a keyword."""
    keyword = session.project.ranking.keywords.get(position=position)
    word = keyword.neighbours.order_by("id")[place].word
    return Judgement.objects.create(
        session=session,
        keyword=keyword,
        word=word,
        verdict=verdict,
        strength=strength,
        **{"revision": 1} | fields,
    )


def constraint(judgement, sign, weight):
    embedding = judgement.session.project.embedding
    ends = (word_id(embedding, w) for w in (judgement.keyword.word, judgement.word))
    return Constraint(*ends, sign, weight)


# --- One person ------------------------------------------------------------------------------


def test_a_plain_verdict_has_the_weight_one_and_a_graded_one_its_strength(project):
    session = make_session(project)
    plain = say(session, 1, 0, "accept")
    refused = say(session, 1, 1, "reject")
    half = say(session, 2, 0, "accept", 0.5)
    weak = say(session, 2, 1, "reject", 0.25)
    assert answers.constraints_of(session) == [
        constraint(plain, ACCEPTED, 1.0),
        constraint(refused, REJECTED, 1.0),
        constraint(half, ACCEPTED, 0.5),
        constraint(weak, REJECTED, 0.25),
    ]


def test_what_is_left_open_is_no_constraint_whether_on_purpose_or_not(project):
    session = make_session(project)
    say(session, 1, 0, "leave", 0.0)
    say(session, 1, 1, "leave")
    assert answers.constraints_of(session) == []


def test_a_changed_strength_counts_as_it_was_last(project):
    session = make_session(project)
    say(session, 1, 0, "accept", 0.5, is_current=False)
    last = say(session, 1, 0, "accept", 1.0, revision=2)
    assert answers.constraints_of(session) == [constraint(last, ACCEPTED, 1.0)]


def test_keywords_left_open_on_purpose_are_not_asked_again(project):
    session = make_session(project)
    asked = say(session, 1, 0, "leave", 0.0)
    say(session, 2, 0, "leave")
    assert answers.answered_words(session) == {asked.keyword.word_id}


# --- All together ----------------------------------------------------------------------------


def stored(project, ballot, aggregate):
    held = Consensus.objects.create(project=project, method=project.consensus_method)
    consensus.store_pairs(held, ballot, aggregate)
    return held


def counted(project, method="majority"):
    ballot = consensus.collect(project)
    return ballot, aggregation.aggregate(ballot.votes, method)


def test_a_pair_weighs_its_certainty_times_the_mean_strength_of_those_who_won(project):
    amina, baraka, chane = (make_session(project, name) for name in ("amina", "baraka", "chane"))
    said = say(amina, 1, 0, "accept", 1.0)
    say(baraka, 1, 0, "accept", 0.5)
    say(chane, 1, 0, "reject", 0.5)
    found = answers.constraints_of_ballot(project, *counted(project))
    certainty = 2 * (2 / 3) - 1
    assert found == [constraint(said, ACCEPTED, pytest.approx(certainty * 0.75))]


def test_a_stored_consensus_gives_the_same_constraints_again(project):
    for name, strengths in (("amina", (1.0, 0.5)), ("baraka", (1 / 3, 0.5)), ("chane", (0.5, 1.0))):
        session = make_session(project, name)
        say(session, 1, 0, "accept", strengths[0])
        say(session, 1, 1, "reject" if name == "amina" else "accept", strengths[1])
        say(session, 2, 0, "reject", strengths[1])
    ballot, aggregate = counted(project, "one_coin")
    expected = answers.constraints_of_ballot(project, ballot, aggregate)
    assert len({c.weight for c in expected}) == 3
    assert answers.constraints_of_consensus(stored(project, ballot, aggregate)) == expected


def test_plain_verdicts_weigh_their_certainty_alone(project):
    for name, verdict in (("amina", "accept"), ("baraka", "accept"), ("chane", "reject")):
        say(make_session(project, name), 1, 0, verdict)
    ballot, aggregate = counted(project, "one_coin")
    (found,) = answers.constraints_of_ballot(project, ballot, aggregate)
    assert found.weight == abs(2 * aggregate.posterior[0] - 1)  # to the last bit
    held = stored(project, ballot, aggregate)
    assert [pair.strength for pair in held.pairs.all()] == [1.0]


def test_strengths_do_not_tell_who_is_right(project):
    def posterior(strength):
        Judgement.objects.update(strength=strength)
        return counted(project, "one_coin")[1].posterior

    for name, verdict in (("amina", "accept"), ("baraka", "reject"), ("chane", "accept")):
        session = make_session(project, name)
        for place in range(3):
            say(session, 1, place, verdict)
    assert np.array_equal(posterior(0.5), posterior(None))
