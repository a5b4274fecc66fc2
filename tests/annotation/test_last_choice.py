"""Of all answers about a word or a text the last choice counts, in whatever order they arrive."""

import random
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.utils import timezone

from annotation import letters
from annotation.models import DocumentLabel, Judgement, Session
from tests.annotation.test_pages import accept, neighbours
from tests.annotation.visitor import letter
from tests.factories import make_project

pytestmark = pytest.mark.django_db

# Each found a case in which a rule went wrong that held an answer against the latest row alone.
SEEDS = (104, 106, 115, 120, 126, 128)


@pytest.fixture
def begun(visitor_of):
    """Give a function that makes someone who agreed an hour ago."""

    def make(**project):
        visitor = visitor_of(make_project(keywords=1, **project))
        Session.objects.update(started_at=timezone.now() - timedelta(hours=1))
        return visitor

    return make


@pytest.fixture
def visitor(begun):
    """Someone asked for one keyword and one text, who answers by verdicts."""
    return begun(documents=1)


@pytest.fixture
def ranker(begun):
    """Someone asked for one keyword, who ranks three words of each language."""
    return begun(neighbours=3, answer_form="ranking")


def verdict(visitor, said, **more):
    """Return a letter about the first word beside the keyword."""
    pair = {"keyword": visitor.item(1).keyword.pk, "word": neighbours(visitor)[0].pk}
    return letter("verdict", **pair, verdict=said, **more)


def label(visitor, said, **more):
    return letter("label", document=visitor.item(2).document.pk, label=said, **more)


def ranking(visitor, best, worst=(), left=(), **more):
    """Return a letter about the order of the target words, by their places among them."""
    words = [word.pk for word in neighbours(visitor) if word.vocabulary.tag == "sw"]
    return letter(
        "ranking",
        keyword=visitor.item(1).keyword.pk,
        side="target",
        best_first=[words[place] for place in best],
        worst_first=[words[place] for place in worst],
        left=[words[place] for place in left],
        **more,
    )


def current(visitor):
    return visitor.session.judgements.current().get().verdict


def standing(visitor):
    """Return all that now counts, without what tells how it came about."""
    words = visitor.session.judgements.current().order_by("word")
    texts = visitor.session.document_labels.filter(is_current=True)
    return [
        *words.values_list("word", "verdict", "strength"),
        *texts.values_list("document", "label", "is_withdrawn"),
    ]


# --- Any order, any repeats ----------------------------------------------------------------------


@dataclass
class Device:
    """A page that writes letters, and knows the revisions that it was told of."""

    saw: int = 0
    written: list = field(default_factory=list)
    unsent: list = field(default_factory=list)


def write_verdict(visitor, rng, **stamp):
    return verdict(visitor, rng.choice(["accept", "reject", "leave"]), **stamp)


def write_label(visitor, rng, **stamp):
    said = rng.choice([0, 1, None])
    return label(visitor, said, withdrawn=said is None and rng.random() < 0.5, **stamp)


def write_ranking(visitor, rng, **stamp):
    places = rng.sample(range(3), 3)
    first, second = sorted(rng.choices(range(4), k=2))
    left = rng.choice([places[first:second], []])
    return ranking(visitor, places[:first], places[second:], left, **stamp)


def live_through(visitor, rng, write):
    """Let two devices answer over a network that loses, repeats and reorders; return the last.

    Both clocks are right. A reply may be lost, so what a device saw may be old.
    """
    session, assignment = visitor.session, visitor.assignment
    devices = [Device(), Device()]
    last = None

    def send(device, sent):
        for one in sent:
            device.unsent = [other for other in device.unsent if other is not one]
        receipts = letters.deliver(session, assignment, sent)
        if rng.random() < 0.5:
            device.saw = max(device.saw, *(receipt["revision"] for receipt in receipts))

    for second in range(10):
        device = rng.choice(devices)
        last = write(visitor, rng, saw=device.saw, at=second - 60)
        device.written.append(last)
        device.unsent.append(last)
        for device in devices:
            if device.written and rng.random() < 0.4:
                many = rng.randint(1, min(3, len(device.written)))
                send(device, rng.sample(device.written, many))
    for device in rng.sample(devices, 2):
        for one in rng.sample(device.unsent, len(device.unsent)):
            send(device, [one])
    return last


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("write", [write_verdict, write_label])
def test_whatever_the_network_does_the_last_choice_counts(visitor, write, seed):
    last = live_through(visitor, random.Random(seed), write)
    after = standing(visitor)
    Judgement.objects.all().delete()
    DocumentLabel.objects.all().delete()
    visitor.deliver(last)
    assert after == standing(visitor)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_the_network_does_the_last_ranking_counts(ranker, seed):
    last = live_through(ranker, random.Random(seed), write_ranking)
    after = standing(ranker)
    Judgement.objects.all().delete()
    ranker.deliver(last)
    assert after == standing(ranker)


def test_every_order_of_a_devices_letters_ends_the_same(visitor):
    sent = [
        verdict(visitor, said, at=second - 60)
        for second, said in enumerate(("accept", "reject", "leave", "accept", "reject"))
    ]
    for seed in range(10):
        Judgement.objects.all().delete()
        for one in random.Random(seed).sample(sent, len(sent)):
            visitor.deliver(one)
        assert current(visitor) == "reject"


def test_a_letter_that_comes_again_changes_nothing(visitor):
    sent = [
        verdict(visitor, said, saw=saw, at=saw - 60)
        for saw, said in enumerate(("accept", "reject", "accept"))
    ]
    visitor.deliver(*sent)
    before = list(Judgement.objects.values())
    for one in sent:
        visitor.deliver(one)
    visitor.deliver(*reversed(sent))
    assert list(Judgement.objects.values()) == before
    assert len(before) == 3


def test_an_undo_that_arrives_before_its_answer_undoes_it(visitor):
    visitor.deliver(verdict(visitor, "leave", at=-5), label(visitor, None, withdrawn=True, at=-5))
    receipts = visitor.deliver(verdict(visitor, "accept", at=-9), label(visitor, 1, at=-9))
    assert [receipt["state"] for receipt in receipts] == ["superseded", "superseded"]
    assert receipts[0]["verdict"] == "leave"
    assert receipts[1]["withdrawn"] is True
    assert not visitor.session.judgements.answered().exists()
    assert not visitor.session.document_labels.current().exists()


def test_the_same_answer_chosen_again_wins_over_what_was_chosen_between(visitor):
    visitor.deliver(verdict(visitor, "accept", at=-30))
    visitor.deliver(verdict(visitor, "accept", saw=1, at=-10))
    assert visitor.deliver(verdict(visitor, "reject", at=-20))[0]["state"] == "superseded"
    assert current(visitor) == "accept"
    newest = visitor.session.judgements.current().get()
    assert timezone.now() - newest.chosen_at < timedelta(seconds=15)


def test_a_change_of_mind_and_back_survives_arriving_backwards(visitor):
    """The page knew the first answer, and no reply came to either of the two that followed."""
    visitor.deliver(verdict(visitor, "accept", at=-30))
    visitor.deliver(verdict(visitor, "accept", saw=1, at=-10))
    visitor.deliver(verdict(visitor, "reject", saw=1, at=-20))
    assert current(visitor) == "accept"


def test_a_ranking_knows_no_more_of_a_word_than_its_column_did(ranker):
    """Only a moved word gets an answer, yet the page's revision is that of the whole column."""
    first = ranking(ranker, [0], at=-40)
    ranker.deliver(first)
    seen = ranker.deliver(ranking(ranker, [0, 1], saw=1, at=-30))[0]["revision"]
    older = ranking(ranker, [0, 1, 2], saw=seen, at=-20)
    newer = ranking(ranker, [1, 0], [2], saw=seen, at=-10)
    ranker.deliver(newer)
    after = standing(ranker)
    assert ranker.deliver(older)[0]["state"] == "superseded"
    assert standing(ranker) == after


# --- Clocks that are wrong -----------------------------------------------------------------------


def test_a_device_whose_clock_is_behind_wins_over_what_it_saw(visitor):
    visitor.deliver(verdict(visitor, "accept", at=-10), label(visitor, 1, at=-10))
    receipts = visitor.deliver(
        verdict(visitor, "reject", saw=1, at=-600), label(visitor, 0, saw=1, at=-600)
    )
    assert [receipt["state"] for receipt in receipts] == ["saved", "saved"]
    assert current(visitor) == "reject"
    assert visitor.session.document_labels.current().get().label == 0


def test_its_second_choice_wins_over_its_first_even_without_a_reply_between(visitor):
    visitor.deliver(verdict(visitor, "accept", at=-10))
    first = verdict(visitor, "reject", saw=1, at=-600)
    second = verdict(visitor, "leave", saw=1, at=-599)
    for order in ([first, second], [second, first], [second, first, second]):
        Judgement.objects.filter(revision__gt=1).delete()
        Judgement.objects.update(is_current=True)
        for one in order:
            visitor.deliver(one)
        assert current(visitor) == "leave"


def test_what_was_chosen_before_the_answer_that_it_saw_does_not_come_back(visitor):
    visitor.deliver(verdict(visitor, "accept", at=-10))
    visitor.deliver(verdict(visitor, "reject", saw=1, at=-600))
    late = visitor.deliver(verdict(visitor, "leave", at=-20))[0]
    assert (late["state"], late["verdict"]) == ("superseded", "reject")


def test_without_having_seen_it_the_clock_decides(visitor):
    visitor.deliver(verdict(visitor, "accept", at=-10))
    assert visitor.deliver(verdict(visitor, "reject", at=-20))[0]["state"] == "superseded"
    assert visitor.deliver(verdict(visitor, "reject", at=-5))[0]["state"] == "saved"


def test_choices_of_a_clock_that_is_ahead_keep_their_order(visitor):
    first, second = verdict(visitor, "accept", at=3600), verdict(visitor, "reject", at=3601)
    for order in ([first, second], [second, first]):
        Judgement.objects.all().delete()
        visitor.deliver(*order)
        assert current(visitor) == "reject"


def test_a_letter_from_the_future_that_comes_again_is_no_newer(visitor):
    early = verdict(visitor, "accept", at=3600)
    visitor.deliver(early)
    visitor.deliver(verdict(visitor, "reject", saw=1))
    assert visitor.deliver(early)[0]["state"] == "superseded"
    assert current(visitor) == "reject"


# --- Forms ---------------------------------------------------------------------------------------


def test_a_form_is_chosen_when_it_arrives_and_knows_what_is_stored(visitor):
    word = neighbours(visitor)[0]
    visitor.deliver(verdict(visitor, "reject", at=-10))
    accept(visitor, 1, word)
    assert visitor.deliver(verdict(visitor, "leave", at=-5))[0]["state"] == "superseded"
    assert current(visitor) == "accept"


def test_a_form_sent_twice_wins_over_what_was_chosen_between(visitor):
    word = neighbours(visitor)[0]
    accept(visitor, 1, word)
    between = verdict(visitor, "reject")
    Judgement.objects.update(chosen_at=timezone.now() - timedelta(seconds=30))
    accept(visitor, 1, word)
    assert Judgement.objects.count() == 1
    assert visitor.deliver(between)[0]["state"] == "superseded"
