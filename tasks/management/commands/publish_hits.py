"""`manage.py publish_hits PROJECT --platform NAME`: publish the places that are missing."""

from __future__ import annotations

import json
import re
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tasks import services
from tasks.crowd import offers, publishing
from tasks.crowd.ledger import dollars
from tasks.crowd.offers import LayoutCost, Plan
from tasks.models import Layout, Listing, Platform
from tasks.platforms import PlatformError
from tasks.platforms.addresses import arrival_url


class Command(BaseCommand):
    help = (
        "Publish a project's HITs on a platform: the places that are missing, so that a second "
        "call publishes nothing. With --dry-run, what it would make and cost is told alone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug or number of the project")
        parser.add_argument("--platform", required=True, choices=Platform.values[1:])
        parser.add_argument("--dry-run", action="store_true", help="print the cost table alone")
        parser.add_argument(
            "--reward", type=_cents, metavar="AMOUNT", help="for a HIT, as 1.50; it is kept"
        )
        parser.add_argument("--layout", choices=Layout.values, help="it is kept")
        parser.add_argument("--json", action="store_true")

    def handle(
        self,
        *,
        project: str,
        platform: str,
        dry_run: bool,
        reward: int | None,
        layout: str | None,
        json: bool,
        **options: Any,
    ) -> None:
        try:
            found = services.find_project(project)
            if reward or layout:
                _keep_terms(found.offers.get_or_create(platform=platform)[0], reward, layout)
            plan = offers.plan(found, platform)
            listings = [] if dry_run else publishing.publish(found, platform)
        except (services.TaskError, PlatformError) as error:
            raise CommandError(f"Not published: {error}.") from error
        told = _as_dict(plan, listings, is_dry=dry_run)
        self.stdout.write(_as_json(told) if json else _as_text(plan, listings, is_dry=dry_run))
        if dry_run and plan.problems:
            raise CommandError(f"It cannot be published: {'; '.join(plan.problems)}.")


def _keep_terms(offer: Any, reward: int | None, layout: str | None) -> None:
    offer.reward_cents = reward or offer.reward_cents
    offer.layout = layout or offer.layout
    offer.save()


def _as_dict(plan: Plan, listings: list[Listing], *, is_dry: bool) -> dict[str, Any]:
    return {
        "project": plan.offer.project.slug,
        "platform": plan.offer.platform,
        "mode": plan.mode,
        "dry_run": is_dry,
        "hits": plan.hits,
        "places_missing": plan.places_missing,
        "reward_cents": plan.reward_cents,
        "funds_cents": plan.funds_cents,
        "limit_left_cents": plan.limit_left_cents,
        "costs": [_row(row) for row in plan.rows],
        "notes": list(plan.notes),
        "problems": list(plan.problems),
        "listings": [
            {
                "key": one.key,
                "hit": one.hit_id,
                "session": one.hit.session_number,
                "batch": one.hit.batch,
                "platform_id": one.platform_id,
                "state": one.state,
                "mode": one.mode,
                "places": one.places,
                "reward_cents": one.reward_cents,
                "fee_cents": one.fee_cents,
                "address": arrival_url(one),
            }
            for one in listings
        ],
    }


def _row(row: LayoutCost) -> dict[str, Any]:
    return {
        "layout": row.layout.value,
        "chosen": row.is_chosen,
        "listings": list(row.listings),
        "rewards_cents": row.rewards_cents,
        "fees_cents": row.fees_cents,
        "total_cents": row.total_cents,
    }


def _as_json(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, indent=2)


def _as_text(plan: Plan, listings: list[Listing], *, is_dry: bool) -> str:
    lines = [f"{plan.offer} ({plan.mode or 'no market'}): {plan.places_missing} places missing"]
    lines += [f"  {note}" for note in plan.notes]
    lines.append(f"  {'layout':<10}{'HITs':>6}{'rewards':>16}{'fees':>14}{'total':>16}")
    for row in plan.rows:
        figures = (row.rewards_cents, row.fees_cents, row.total_cents)
        amounts = "".join(
            f"{dollars(cents):>{width}}" for cents, width in zip(figures, (16, 14, 16), strict=True)
        )
        mark = "  (chosen)" if row.is_chosen else ""
        lines.append(f"  {row.layout.value:<10}{len(row.listings):>6}{amounts}{mark}")
    if plan.funds_cents is not None:
        lines.append(f"  the account has {dollars(plan.funds_cents)}")
    if plan.limit_left_cents is not None:
        lines.append(f"  the spending limit leaves {dollars(plan.limit_left_cents)}")
    if is_dry:
        return "\n".join([*lines, "Nothing was published (--dry-run)."])
    made = [f"  {one.platform_id}: {one.places} places, {one.hit}" for one in listings]
    return "\n".join([*lines, f"Published: {len(listings)} HITs.", *made])


def _cents(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{2})?", text) or float(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not an amount such as 1.50")
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part or 0)
