"""Listings put straight into the database, as if they had been published."""

from __future__ import annotations

from django.db.models import Model

from tasks.models import HIT, HITItem, Listing, Platform, Project
from tasks.platforms.base import Arrival

SUBMIT_TO = "https://workersandbox.mturk.com"


def copy_hits(project: Project, platform: str = Platform.MTURK) -> list[HIT]:
    """Return a platform's copies of a project's shared HITs."""
    copies = []
    for shared in project.hits.filter(platform=Platform.DIRECT, worker_id=""):
        copy, is_new = HIT.objects.get_or_create(
            project=project,
            platform=platform,
            session_number=shared.session_number,
            batch=shared.batch,
            worker_id="",
        )
        if is_new:
            HITItem.objects.bulk_create(
                HITItem(hit=copy, position=i.position, keyword=i.keyword, document=i.document)
                for i in shared.items.all()
            )
        copies.append(copy)
    return copies


def make_listing(where: Project | HIT, **fields: object) -> Listing:
    """Return an open listing of a HIT, or of a project's first one; as many places as people."""
    hit = where if isinstance(where, HIT) else copy_hits(where)[0]
    usual: dict[str, object] = {
        "platform": hit.platform,
        "mode": "sandbox",
        "endpoint": "https://mturk.test",
        "places": hit.project.overlap,
        "reward_cents": 50,
        "fee_cents": 10,
        "minutes_allowed": 60,
        "state": "open",
        "platform_id": f"3HIT{Listing.objects.count()}",
    }
    return Listing.objects.create(hit=hit, **(usual | fields))


def comes(worker_id: str, platform_id: str = "") -> Arrival:
    """Return somebody's arrival, by default with an assignment of their own."""
    return Arrival(platform_id or f"3OF{worker_id.upper()}", worker_id, SUBMIT_TO)


def set_(row: Model, **fields: object) -> None:
    """Change fields of a row, here and in the database."""
    for name, value in fields.items():
        setattr(row, name, value)
    row.save(update_fields=list(fields))
