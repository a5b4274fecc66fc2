"""HITs on the local Mechanical Turk and people who took them, put straight into the database."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from django.db.models import Model
from django.utils import timezone

from tasks import services
from tasks.crowd import arrivals
from tasks.models import (
    HIT,
    Assignment,
    Block,
    Listing,
    Message,
    Offer,
    Platform,
    Project,
    Qualification,
    Screening,
)
from tasks.platforms import platform_of
from tasks.platforms.base import Arrival
from tasks.platforms.mturk import MechanicalTurk
from tests.factories import make_listing

LONG_AGO = timedelta(minutes=30)
SUBMIT_TO = "https://workersandbox.mturk.com"


def make_hit(project: Project, *, worker_id: str = "", session_number: int = 1) -> HIT:
    """Return a HIT of a project on Mechanical Turk."""
    batch = project.hits.filter(platform=Platform.MTURK).count() + 1
    return HIT.objects.create(
        project=project,
        platform=Platform.MTURK,
        batch=batch,
        worker_id=worker_id,
        session_number=session_number,
    )


def plan_listing(hit: HIT, *, places: int = 9, **fields: object) -> Listing:
    """Return the row of a listing in the present market, which is not published yet."""
    market = MechanicalTurk().market()
    where = {"mode": market.mode, "endpoint": market.endpoint, "account": market.account}
    planned = {"state": "planned", "platform_id": "", "group_id": "", "worker_id": hit.worker_id}
    return make_listing(hit, places=places, **(where | planned | fields))


def offer_of(project: Project) -> Offer:
    return Offer.objects.get_or_create(
        project=project, platform=Platform.MTURK, defaults={"reward_cents": 50}
    )[0]


def publish(listing: Listing, *, forbidding: object = (), requiring: object = ()) -> str:
    """Put a listing on its market as one with these qualifications; return the HIT's id there."""
    offer = offer_of(listing.hit.project)
    made = platform_of(listing.platform).publish(
        listing, offer, forbidding=forbidding, requiring=requiring
    )
    Listing.objects.filter(pk=listing.pk).update(platform_id=made.platform_id, state="open")
    listing.refresh_from_db()
    return made.platform_id


def take(listing: Listing, worker_id: str, **fields: object) -> Assignment:
    """Return the row of somebody who arrived at a listing."""
    now = timezone.now()
    return Assignment.objects.create(
        **{
            "hit": listing.hit,
            "listing": listing,
            "worker_id": worker_id,
            "state": "active",
            "platform_id": f"at-{listing.pk}-{worker_id}",
            "arrived_at": now,
            "expires_at": now + timedelta(minutes=listing.minutes_allowed),
            **fields,
        }
    )


def make_people(project: Project, name: str) -> None:
    """Add one of each row that says who may work, and a message."""
    person = {"platform": Platform.MTURK, "worker_id": f"A{name}"}
    by = User.objects.create_user(f"manager of {name}")
    Block.objects.create(**person, reason="Copies.", made_by=by)
    Screening.objects.create(project=project, **person, correct=3, asked=4, passed=True)
    screened = Qualification.objects.create(
        project=project, platform=Platform.MTURK, mode="sandbox", purpose="screened", name=name
    )
    for n in range(2):
        screened.holders.create(worker_id=f"A{n}", error="unknown" * n)
    message = Message.objects.create(
        project=project, platform=Platform.MTURK, subject="Hello", text="You.", made_by=by
    )
    for state in ("sent", "failed"):
        message.recipients.create(worker_id=f"A{state}", state=state)


# --- People who come ------------------------------------------------------------------------------


def arrive(mturk, listing, worker_id, *, ago=LONG_AGO):
    """Let somebody accept, arrive and begin, some time ago; return their row."""
    platform_id = mturk.accept(listing.platform_id, worker_id)
    row = arrivals.arrive(listing, Arrival(platform_id, worker_id, mturk.url))
    services.activate(row)
    then = timezone.now() - ago
    Assignment.objects.filter(pk=row.pk).update(arrived_at=then, created_at=then)
    row.refresh_from_db()
    return row


def finish(row):
    """Finish here, and hand nothing in."""
    assert services.submit(row)


def hand_in(mturk, row):
    """Finish here, and hand in there."""
    finish(row)
    mturk.submit(row.platform_id, {"completionCode": row.completion_code})


def comes(worker_id: str, platform_id: str = "") -> Arrival:
    """Return somebody's arrival, by default with an assignment of their own."""
    return Arrival(platform_id or f"3OF{worker_id.upper()}", worker_id, SUBMIT_TO)


def set_(row: Model, **fields: object) -> None:
    """Change fields of a row, here and in the database."""
    for name, value in fields.items():
        setattr(row, name, value)
    row.save(update_fields=list(fields))
