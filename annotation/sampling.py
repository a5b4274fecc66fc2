"""What somebody sees of a HIT before they take it: one page of it, as it will look."""

from __future__ import annotations

from dataclasses import dataclass

from annotation import pages
from models_ml.models import Side
from tasks.models import HIT, Category, HITItem


@dataclass(frozen=True)
class SampleColumn:
    language: str
    tag: str
    direction: str
    words: list[str]


@dataclass(frozen=True)
class Sample:
    """The first keyword with its words; of a HIT without any, how its first text begins."""

    text: str
    tag: str
    direction: str
    is_keyword: bool
    columns: list[SampleColumn]
    categories: list[Category]


def sample_of(hit: HIT) -> Sample | None:
    """Return a page of a HIT to look at; None for a HIT that asks nothing."""
    items = hit.items.select_related("keyword__word__vocabulary", "document__corpus__vocabulary")
    item = items.filter(keyword__isnull=False).first() or items.first()
    if item is None:
        return None
    categories = list(hit.project.categories.all())
    if item.document is not None:
        language = item.document.corpus.vocabulary
        text = " ".join(item.document.tokens[: pages.FOLDED_TEXT])
        return Sample(text, language.tag, language.direction, False, [], categories)
    return _keyword_sample(item, categories)


def _keyword_sample(item: HITItem, categories: list[Category]) -> Sample:
    keyword, embedding = item.keyword, item.hit.project.embedding
    if keyword is None:
        raise ValueError(f"{item} has no keyword")
    near = [neighbour.word for neighbour in keyword.neighbours.select_related("word")]
    columns = [
        SampleColumn(
            language=vocabulary.language,
            tag=vocabulary.tag,
            direction=vocabulary.direction,
            words=[word.text for word in near if word.vocabulary_id == vocabulary.pk],
        )
        for vocabulary in (embedding.vocabulary(side) for side in (Side.SOURCE, Side.TARGET))
    ]
    language = keyword.word.vocabulary
    return Sample(keyword.word.text, language.tag, language.direction, True, columns, categories)
