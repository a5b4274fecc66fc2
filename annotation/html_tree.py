"""A page as a tree, read with the standard library: enough to find and press its buttons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "wbr"}


@dataclass
class Element:
    """An element with what it holds, in the page's order."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    content: list[Element | str] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    def __contains__(self, name: str) -> bool:
        return name in self.attributes

    @property
    def classes(self) -> list[str]:
        return self.get("class").split()

    @property
    def text(self) -> str:
        """All text inside, with single spaces."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for part in self.content:
            yield from [part] if isinstance(part, str) else part._texts()

    def find_all(self, tag: str = "", /, *, cls: str = "", **attributes: str) -> Iterator[Element]:
        """Yield the elements inside that match; `data_word="3"` matches `data-word="3"`.

        A template's content is no part of the page, so it is passed over.
        """
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        for part in self.content:
            if isinstance(part, str) or part.tag == "template":
                continue
            if (
                tag in {"", part.tag}
                and (not cls or cls in part.classes)
                and wanted.items() <= part.attributes.items()
            ):
                yield part
            yield from part.find_all(tag, cls=cls, **attributes)

    def find(self, tag: str = "", /, *, cls: str = "", **attributes: str) -> Element | None:
        """Return the first element inside that matches."""
        return next(self.find_all(tag, cls=cls, **attributes), None)


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("document")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].content.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].content.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        # Close up to the nearest element of this name; a stray end tag closes nothing.
        for depth in range(len(self.open) - 1, 0, -1):
            if self.open[depth].tag == tag:
                del self.open[depth:]
                return

    def handle_data(self, data: str) -> None:
        self.open[-1].content.append(data)


def parse(html: str) -> Element:
    """Return a page's tree. Every element is closed by its tag: our own pages leave none open."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    return builder.open[0]
