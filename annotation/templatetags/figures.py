"""How report pages write numbers."""

from collections.abc import Sequence

from django import template

from models_ml.core import charts

register = template.Library()


@register.filter
def percent(fraction: float | None) -> str:
    """Return a fraction as a percentage; a dash for None."""
    return "–" if fraction is None else charts.percent(fraction)


@register.filter
def in_points(fraction: float) -> str:
    """Return a fraction in percentage points."""
    return f"{100 * fraction:.1f}"


@register.filter
def gain(points: float | None, decimals: int = 1) -> str:
    """Return a difference in percentage points, always with its sign; a dash for None."""
    return "–" if points is None else f"{points:+.{decimals}f}".replace("-", "\N{MINUS SIGN}")


@register.filter
def is_among(word: str, neighbours: Sequence[tuple[str, float]]) -> bool:
    """Return whether a word is one of these neighbours."""
    return any(word == text for text, _ in neighbours)


@register.filter
def words(name: str) -> str:
    """Return a setting's name as words: `learning_rate` is "learning rate"."""
    return name.replace("_", " ")


@register.filter
def coefficient(value: float | None) -> str:
    """Return a coefficient to two decimals, with a true minus; a dash for None."""
    return "–" if value is None else f"{value:z.2f}".replace("-", "\N{MINUS SIGN}")
