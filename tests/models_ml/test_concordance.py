"""Places of words: a few a word, each in another document, the labels in turn."""

import tracemalloc
from collections.abc import Iterator

import pytest

from models_ml.core.concordance import Occurrence, occurrences, window
from models_ml.core.corpus import Document


def document(text: str, label: int | None = None) -> Document:
    return Document(0, tuple(text.split()), label)


def test_each_word_is_found_once_a_document_at_its_first_place() -> None:
    places = occurrences([document("a b a"), document("c a")])
    assert places == {
        "a": [Occurrence(0, 0), Occurrence(1, 1)],
        "b": [Occurrence(0, 1)],
        "c": [Occurrence(1, 0)],
    }


def test_labels_take_turns_each_with_its_earliest_documents() -> None:
    labels = [1, 1, 1, 1, 0, 2, 0]
    places = occurrences([document("a", label) for label in labels], per_word=5)
    assert [place.document_index for place in places["a"]] == [4, 0, 5, 6, 1]


def test_a_label_with_few_documents_leaves_its_turns_to_the_others() -> None:
    labels = [1, 1, 1, 1, 0]
    places = occurrences([document("a", label) for label in labels], per_word=4)
    assert [place.document_index for place in places["a"]] == [4, 0, 1, 2]


def test_unlabelled_documents_come_in_their_order() -> None:
    places = occurrences([document("a")] * 9, per_word=3)
    assert places["a"] == [Occurrence(0, 0), Occurrence(1, 0), Occurrence(2, 0)]


def test_documents_may_be_a_stream() -> None:
    def stream() -> Iterator[Document]:
        for number in range(1000):
            yield document(f"a w{number}", label=number % 2)

    places = occurrences(stream())
    assert len(places) == 1001
    assert [place.document_index for place in places["a"]] == [0, 1, 2, 3, 4]


def test_a_frequent_word_takes_no_more_memory_than_a_rare_one() -> None:
    documents = [document("a")] * 20_000
    tracemalloc.start()
    occurrences(documents)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 20_000  # a byte for each place


def test_a_window_shows_what_stands_before_and_after() -> None:
    tokens = tuple("abcdefg")
    assert window(tokens, 3, width=2) == (("b", "c"), "d", ("e", "f"))
    assert window(tokens, 3) == (("a", "b", "c"), "d", ("e", "f", "g"))
    assert window(tokens, 3, width=5) == (("a", "b", "c"), "d", ("e", "f", "g"))
    assert window(tokens, 0, width=1) == ((), "a", ("b",))
    assert window(list(tokens), 6, width=1) == (("f",), "g", ())


@pytest.mark.parametrize("position", [-1, 3])
def test_a_position_outside_the_document_is_refused(position: int) -> None:
    with pytest.raises(ValueError, match=f"position {position} is outside the 3 tokens"):
        window(("a", "b", "c"), position)
