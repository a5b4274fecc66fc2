"""The simulated annotator: what it knows, how it answers, and how it errs."""

from pathlib import Path

import pytest

from models_ml.core.constraints import Constraint
from models_ml.core.embeddings import Embedding, Side
from models_ml.core.errors import InputError
from models_ml.core.neighbours import nearest
from models_ml.core.simulation import (
    Knowledge,
    SimulatedAnnotator,
    Topic,
    Verdict,
    WordKnowledge,
    are_inflections,
    feedback_for,
    read_annotator,
)

ACCEPT, REJECT, LEAVE = Verdict.ACCEPT, Verdict.REJECT, Verdict.LEAVE
HEADER = "word\tlanguage\tclass\ttranslations\n"


def known(topic: str = "0", *translations: str) -> WordKnowledge:
    return WordKnowledge(Topic(topic), translations)


KNOWLEDGE = Knowledge(
    {
        (Side.SOURCE, "fever"): known("H", "homa", "joto"),
        (Side.SOURCE, "heat"): known("0", "joto"),
        (Side.SOURCE, "doctor"): known("H", "daktari"),
        (Side.SOURCE, "goal"): known("N", "goli", "lengo"),
        (Side.SOURCE, "football"): known("N"),
        (Side.SOURCE, "the"): known("0"),
        (Side.SOURCE, "odd"): known("?"),
        (Side.SOURCE, "running"): known("0"),
        (Side.SOURCE, "runnings"): known("N"),
        (Side.TARGET, "homa"): known("H", "fever"),
        (Side.TARGET, "joto"): known("N"),
        (Side.TARGET, "dawa"): known("H"),
        (Side.TARGET, "goli"): known("N"),
        (Side.TARGET, "ya"): known("0"),
        (Side.TARGET, "lengo"): known("?", "football"),
    }
)


def annotator(noise: float = 0, seed: int = 0) -> SimulatedAnnotator:
    return SimulatedAnnotator(KNOWLEDGE, noise=noise, seed=seed)


@pytest.mark.parametrize(
    ("keyword", "word", "side", "verdict"),
    [
        pytest.param("fever", "joto", Side.TARGET, ACCEPT, id="translation, though H and N"),
        pytest.param("football", "lengo", Side.TARGET, ACCEPT, id="translation known one way"),
        pytest.param("fever", "heat", Side.SOURCE, ACCEPT, id="one translation, though H and 0"),
        pytest.param("running", "runnings", Side.SOURCE, ACCEPT, id="inflections"),
        pytest.param("fever", "doctor", Side.SOURCE, ACCEPT, id="both H"),
        pytest.param("fever", "dawa", Side.TARGET, ACCEPT, id="both H across languages"),
        pytest.param("football", "goal", Side.SOURCE, ACCEPT, id="both N"),
        pytest.param("football", "goli", Side.TARGET, ACCEPT, id="both N across languages"),
        pytest.param("fever", "goli", Side.TARGET, REJECT, id="H and N"),
        pytest.param("goal", "dawa", Side.TARGET, REJECT, id="N and H"),
        pytest.param("fever", "ya", Side.TARGET, REJECT, id="H and 0"),
        pytest.param("the", "goal", Side.SOURCE, REJECT, id="0 and N"),
        pytest.param("the", "ya", Side.TARGET, LEAVE, id="both neutral"),
        pytest.param("fever", "odd", Side.SOURCE, LEAVE, id="one unsure"),
        pytest.param("odd", "odd", Side.SOURCE, LEAVE, id="both unsure"),
        pytest.param("fever", "kiharusi", Side.TARGET, LEAVE, id="a word never seen"),
        pytest.param("doctor", "homa", Side.SOURCE, LEAVE, id="a target word is no source word"),
    ],
)
def test_the_verdict_follows_the_rules(
    keyword: str, word: str, side: Side, verdict: Verdict
) -> None:
    assert annotator().judge(keyword, word, side) is verdict


@pytest.mark.parametrize(
    ("first", "second", "alike"),
    [
        ("running", "runnings", True),
        ("hospital", "hospitals", True),
        ("abcde", "abcdexx", True),  # 5 of 7 letters
        ("abcde", "abcdexxx", False),  # 5 of 8
        ("abcdefg", "abcdefgxxx", True),  # 7 of 10
        ("word", "words", False),  # four letters in common
        ("treat", "retreat", False),
    ],
)
def test_inflections_share_five_letters_and_seven_tenths(
    first: str, second: str, alike: bool
) -> None:
    assert are_inflections(first, second) is are_inflections(second, first) is alike


QUESTIONS = [
    (keyword, word, side)
    for keyword in ("fever", "heat", "doctor", "goal", "football", "the")
    for side, word in KNOWLEDGE.words
]


def test_full_noise_swaps_every_verdict_but_the_unsure_ones() -> None:
    swapped = {ACCEPT: REJECT, REJECT: ACCEPT, LEAVE: LEAVE}
    answers = [annotator().judge(*question) for question in QUESTIONS]
    assert [annotator(noise=1).judge(*question) for question in QUESTIONS] == [
        swapped[answer] for answer in answers
    ]
    assert set(answers) == {ACCEPT, REJECT, LEAVE}


def test_noise_swaps_about_its_share_and_seeds_differ() -> None:
    words = {(Side.TARGET, f"w{i}"): known("H") for i in range(2000)}
    knowledge = Knowledge(words | {(Side.SOURCE, "k"): known("H")})
    wrong = [
        {
            word
            for _, word in words
            if SimulatedAnnotator(knowledge, 0.2, seed).judge("k", word, Side.TARGET) is REJECT
        }
        for seed in (0, 1)
    ]
    for of_seed in wrong:
        assert 0.16 < len(of_seed) / 2000 < 0.24  # 4.5 standard deviations
    assert 0.02 < len(wrong[0] & wrong[1]) / 2000 < 0.06  # 0.2 × 0.2


def test_answers_do_not_depend_on_the_order_of_questions() -> None:
    forward, backward = annotator(noise=0.5), annotator(noise=0.5)
    answers = [forward.judge(*question) for question in QUESTIONS]
    assert [backward.judge(*question) for question in reversed(QUESTIONS)] == answers[::-1]
    assert answers != [annotator().judge(*question) for question in QUESTIONS]


def test_a_draw_is_the_same_on_every_machine() -> None:
    noisy = annotator(noise=0.5, seed=3)
    assert [noisy.label(i, 0) for i in range(12)] == [1, 0, 1, 0, 0, 1, 0, 1, 1, 1, 0, 1]


@pytest.mark.parametrize(
    ("verdicts", "vocabulary", "added"),
    [
        pytest.param({}, {"homa", "joto"}, "homa", id="the first translation"),
        pytest.param({"ya": REJECT, "dawa": LEAVE}, {"homa"}, "homa", id="none accepted"),
        pytest.param({"dawa": ACCEPT}, {"homa"}, None, id="one was accepted"),
        pytest.param({}, {"joto"}, "joto", id="the first in the vocabulary"),
        pytest.param({}, {"dawa"}, None, id="none in the vocabulary"),
        pytest.param({"homa": REJECT}, {"homa", "joto"}, "joto", id="one judged by mistake"),
    ],
)
def test_a_translation_is_added_where_no_target_word_was_accepted(
    verdicts: dict[str, Verdict], vocabulary: set[str], added: str | None
) -> None:
    assert annotator().added_translation("fever", verdicts, vocabulary.__contains__) == added


def test_nothing_is_added_to_a_keyword_without_known_translations() -> None:
    assert annotator().added_translation("football", {}, lambda word: True) is None
    assert annotator().added_translation("never seen", {}, lambda word: True) is None


def test_labels_are_true_but_for_the_noise_which_finds_every_other_label() -> None:
    assert [annotator().label(i, 1) for i in range(50)] == [1] * 50
    assert [annotator(noise=1).label(i, 1) for i in range(50)] == [0] * 50
    given = [annotator(noise=0.3).label(i, 2, labels=4) for i in range(2000)]
    assert 0.65 < given.count(2) / 2000 < 0.75
    for other in (0, 1, 3):
        assert 0.07 < given.count(other) / 2000 < 0.13


@pytest.mark.parametrize("noise", [-0.1, 1.1])
def test_noise_is_a_probability(noise: float) -> None:
    with pytest.raises(ValueError, match="noise is a probability"):
        annotator(noise=noise)


def test_the_annotator_s_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "annotator.tsv"
    path.write_text(HEADER + "fever\tsource\tH\thoma|joto\nthe\tsource\t0\t\nthe\ttarget\t?\tx\n")
    knowledge = read_annotator(path)
    assert knowledge.of("fever", Side.SOURCE) == known("H", "homa", "joto")
    assert knowledge.of("the", Side.SOURCE) == known("0")
    assert knowledge.of("the", Side.TARGET) == known("?", "x")
    assert knowledge.of("fever", Side.TARGET) == known("?")


@pytest.mark.parametrize(
    ("content", "line", "value"),
    [
        pytest.param(b"", None, None, id="empty file"),
        pytest.param(HEADER.encode(), None, None, id="no words"),
        pytest.param(b"word\tclass\n", 1, ["word", "class"], id="another header"),
        pytest.param(b"a\tsource\tH", 2, ["a", "source", "H"], id="column missing"),
        pytest.param(b"a\tsource\tH\tx\ty", 2, ["a", "source", "H", "x", "y"], id="one more"),
        pytest.param(b"\tsource\tH\t", 2, "", id="no word"),
        pytest.param(b"a b\tsource\tH\t", 2, "a b", id="two words"),
        pytest.param(b"a\tenglish\tH\t", 2, "english", id="unknown language"),
        pytest.param(b"a\tsource\tX\t", 2, "X", id="unknown class"),
        pytest.param(b"a\tsource\tH\tx||y", 2, "x||y", id="empty translation"),
        pytest.param(b"a\tsource\tH\t\na\tsource\tN\t", 3, "a", id="duplicate word"),
        pytest.param(b"a\xff\tsource\tH\t", 2, b"\xff\tsource\tH\t", id="not UTF-8"),
    ],
)
def test_a_bad_annotator_s_file_is_refused_with_line_and_value(
    tmp_path: Path, content: bytes, line: int | None, value: object
) -> None:
    path = tmp_path / "annotator.tsv"
    headless = line is None or line == 1
    path.write_bytes(content if headless else HEADER.encode() + content)
    with pytest.raises(InputError) as refusal:
        read_annotator(path)
    assert (refusal.value.path, refusal.value.line, refusal.value.value) == (path, line, value)


def test_feedback_holds_the_verdicts_on_all_that_is_shown(
    tiny_embedding: Embedding, tiny_dataset_folder: Path
) -> None:
    knowledge = read_annotator(tiny_dataset_folder / "annotator.tsv")
    someone = SimulatedAnnotator(knowledge, noise=0, seed=0)
    keywords = [6, 2]  # rain, fever
    constraints = feedback_for(keywords, tiny_embedding, k=4, annotator=someone)
    expected = []
    for keyword in keywords:
        shown = [
            neighbour.word_id
            for side in Side
            for neighbour in nearest(tiny_embedding, [keyword], k=4, side=side)[0]
        ]
        for word_id in sorted(shown):
            side, word = tiny_embedding.word(word_id)
            verdict = someone.judge(tiny_embedding.word(keyword)[1], word, side)
            if verdict is not LEAVE:
                expected.append(Constraint(keyword, word_id, 1 if verdict is ACCEPT else -1))
    assert constraints == expected
    assert {constraint.sign for constraint in constraints} == {1, -1}


def test_feedback_holds_the_added_translation(tiny_embedding: Embedding) -> None:
    shown = nearest(tiny_embedding, [2], k=1, side=Side.TARGET)[0][0].word_id
    translation = next(word_id for word_id in range(10, 18) if word_id != shown)
    knowledge = Knowledge(
        {(Side.SOURCE, "fever"): known("?", "nani", tiny_embedding.word(translation)[1])}
    )
    someone = SimulatedAnnotator(knowledge, noise=0, seed=0)
    assert feedback_for([2], tiny_embedding, k=1, annotator=someone) == [
        Constraint(2, translation, 1)
    ]


def test_no_word_is_both_accepted_and_rejected_however_noisy(
    tiny_embedding: Embedding, tiny_dataset_folder: Path
) -> None:
    knowledge = read_annotator(tiny_dataset_folder / "annotator.tsv")
    for seed in range(20):
        someone = SimulatedAnnotator(knowledge, noise=0.5, seed=seed)
        constraints = feedback_for(range(10), tiny_embedding, k=5, annotator=someone)
        pairs = [(constraint.keyword, constraint.neighbour) for constraint in constraints]
        assert len(set(pairs)) == len(pairs) > 50


def test_a_keyword_is_a_source_word(tiny_embedding: Embedding) -> None:
    with pytest.raises(ValueError, match="'homa' is not a source word"):
        feedback_for([11], tiny_embedding, k=1, annotator=annotator())
