"""`manage.py reconcile`: our rows beside a platform's listings and payments."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tasks.crowd.mending import mend_all
from tasks.crowd.reconciling import Comparison, Finding, compare
from tasks.models import Listing, Offer, Platform
from tasks.platforms import PlatformError


class Command(BaseCommand):
    help = (
        "Compare our rows with what platforms have: listings that only one side knows, payments "
        "and calls whose outcome is not known, sums that differ. Ends with exit code 0 only where "
        "everything fits, or was mended with --fix."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--platform",
            choices=[name for name in Platform.values if name != Platform.DIRECT],
            help="by default each one on which anything was published",
        )
        parser.add_argument("--fix", action="store_true", help="mend what can be mended")
        parser.add_argument("--json", action="store_true", help="print JSON instead of sentences")

    def handle(self, *, platform: str | None, fix: bool, json: bool, **options: Any) -> None:
        told = [_reconcile(name, fix=fix) for name in ([platform] if platform else _in_use())]
        if json:
            self.stdout.write(_as_json(told))
        else:
            self.stdout.write("\n".join(line for one in told for line in _as_lines(one)))
        wrong = [one for one in told if not one["fits"]]
        if wrong:
            left = sum(not row["mended"] for one in wrong for row in one["findings"])
            troubles = [text for one in wrong for text in one["troubles"]]
            raise CommandError(_conclusion(left, troubles))


def _in_use() -> list[str]:
    """Return the platforms on which anything was made, else those with terms, else the first."""
    made = set(Listing.objects.order_by().values_list("platform", flat=True))
    offered = set(Offer.objects.order_by().values_list("platform", flat=True))
    return sorted(made or offered or {str(Platform.MTURK)})


def _reconcile(name: str, *, fix: bool) -> dict[str, Any]:
    """Return how a platform compares, and what was mended, as values."""
    try:
        found = compare(name)
    except PlatformError as error:
        return {"platform": name, "findings": [], "troubles": [str(error)], "fits": False}
    rows = [_values(finding) for finding in found.findings]
    if fix:
        _mend(rows, found.findings)
    return _summary(found) | {
        "findings": rows,
        "fits": not found.troubles and all(row["mended"] for row in rows),
    }


def _values(finding: Finding) -> dict[str, Any]:
    return {
        "kind": str(finding.kind),
        "subject": finding.subject,
        "sentence": finding.sentence,
        "mending": finding.mending,
        "mended": False,
        "done": "",
    }


def _mend(rows: Iterable[dict[str, Any]], findings: Iterable[Finding]) -> None:
    for row, (_, said, is_mended) in zip(rows, mend_all(findings), strict=True):
        row.update(mended=is_mended, done=said)


def _summary(found: Comparison) -> dict[str, Any]:
    return {
        "platform": found.platform,
        "mode": found.market.mode,
        "endpoint": found.market.endpoint,
        "compared": found.compared,
        "of_others": found.of_others,
        "elsewhere": found.elsewhere,
        "troubles": found.troubles,
    }


def _as_lines(one: dict[str, Any]) -> Iterable[str]:
    label = Platform(one["platform"]).label
    if "mode" not in one:
        yield f"{label}: not compared"
        return
    yield (
        f"{label} ({one['mode']}): {one['compared']} {_listings(one['compared'])} compared, "
        f"{one['of_others']} of others left alone"
    )
    yield from (f"  note: {text}" for text in one["elsewhere"])
    for row in one["findings"]:
        yield f"  {row['kind']}: {row['sentence']}"
        if row["done"]:
            yield f"    {'mended' if row['mended'] else 'NOT mended'}: {row['done']}"
        else:
            yield f"    --fix {row['mending']}" if row["mending"] else "    for a person"
    if one["fits"]:
        yield "  everything fits" + (" now" if one["findings"] else "")


def _listings(number: int) -> str:
    return "listing" if number == 1 else "listings"


def _conclusion(left: int, troubles: Iterable[str]) -> str:
    what = "1 thing does" if left == 1 else f"{left} things do"
    return "; ".join([*([f"{what} not fit"] if left else []), *troubles]) + "."


def _as_json(told: list[dict[str, Any]]) -> str:
    return json.dumps({"platforms": told}, ensure_ascii=False, indent=2)
