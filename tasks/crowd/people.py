"""Who may work: blocks, earlier projects, the screening test, and the qualifications they make.

Qualifications only keep a platform from showing work to people who may not take it, and grants come
a little late. What holds is `refusal`, which our own server asks whenever somebody arrives.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from enum import StrEnum

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from tasks import services
from tasks.models import (
    HIT,
    Assignment,
    AssignmentState,
    Block,
    Offer,
    Platform,
    Project,
    Qualification,
    QualificationHolder,
    QualificationPurpose,
    Screening,
    StatusThere,
)
from tasks.platforms import platform_of
from tasks.platforms.base import CrowdPlatform, Market, PlatformError

# Mechanical Turk takes ten requirements a HIT. The offer's terms are five at most, and one is the
# HIT's own, so that four are left for those who took part elsewhere.
MOST_OF_ELSEWHERE = 4
# A platform that fails so often in a row is asked again at the next poll.
MOST_TROUBLES = 3


class Refusal(StrEnum):
    """Why somebody gets no work in a project; the person is not told that they are blocked."""

    BLOCKED = "blocked"
    TOOK_PART_ELSEWHERE = "took_part_elsewhere"
    FAILED_SCREENING = "failed_screening"


def refusal(project: Project, platform: str, worker_id: str) -> Refusal | None:
    """Return why somebody gets no work in a project; None where they may have it."""
    return refusals(project, platform, [worker_id]).get(worker_id)


def refusals(project: Project, platform: str, worker_ids: Sequence[str]) -> dict[str, Refusal]:
    """Return who of these gets no work in a project, and why; as many queries for all as for one.

    A direct link that was made for nobody by name ("link-3") is somebody else's in each project.
    """
    named = [one for one in worker_ids if not is_nobody_s_name(platform, one)]
    people = {"platform": platform, "worker_id__in": named}
    failed = project.screenings.filter(
        platform=platform, worker_id__in=list(worker_ids), passed=False
    )
    return {
        **dict.fromkeys(_untested(project, platform, worker_ids), Refusal.FAILED_SCREENING),
        **dict.fromkeys(failed.values_list("worker_id", flat=True), Refusal.FAILED_SCREENING),
        **dict.fromkeys(
            _took_part_elsewhere(project, platform, named), Refusal.TOOK_PART_ELSEWHERE
        ),
        **dict.fromkeys(
            Block.objects.filter(**people).values_list("worker_id", flat=True), Refusal.BLOCKED
        ),
    }


def _untested(project: Project, platform: str, worker_ids: Sequence[str]) -> set[str]:
    """Return who of these has not passed the test that the project's offer asks for, if it does."""
    if platform == Platform.DIRECT:
        return set()  # there are no offers
    asking = project.offers.filter(platform=platform, screened_in__isnull=False)
    for offer in asking.select_related("screened_in"):
        passed = Screening.objects.filter(
            project=offer.screened_in, platform=platform, worker_id__in=worker_ids, passed=True
        )
        return set(worker_ids) - set(passed.values_list("worker_id", flat=True))
    return set()


def is_nobody_s_name(platform: str, worker_id: str) -> bool:
    """True for a name that services.next_worker_ids makes, for a link whose holder has none."""
    return platform == Platform.DIRECT and re.fullmatch(r"link-\d+", worker_id) is not None


def _took_part_elsewhere(project: Project, platform: str, worker_ids: Sequence[str]) -> set[str]:
    """Return who of these agreed to take part in one of a project's excluded projects.

    A link that was offered and never opened is no taking part, even after it has expired.
    """
    excluded = project.excluded_projects.all()
    opened = Q(state__in=[AssignmentState.ACTIVE, AssignmentState.SUBMITTED])
    finished = Q(submitted_at__isnull=False) | Q(submitted_there_at__isnull=False)
    theirs = Assignment.objects.filter(
        opened | finished,
        hit__project__in=excluded,
        hit__platform=platform,
        worker_id__in=worker_ids,
    )
    agreed = excluded.filter(
        sessions__annotator__platform=platform,
        sessions__annotator__worker_id__in=worker_ids,
        sessions__consented_at__isnull=False,
    )
    return {
        *theirs.values_list("worker_id", flat=True),
        *agreed.values_list("sessions__annotator__worker_id", flat=True),
    }


def check_links(project: Project, worker_ids: Sequence[str]) -> None:
    """Raise TaskError, with all their names, where some of these get no link; who has one keeps it.

    Managers are told who is blocked; the people are not.
    """
    had = project.hits.filter(platform=Platform.DIRECT, assignments__worker_id__in=worker_ids)
    keep = set(had.values_list("assignments__worker_id", flat=True))
    refused = refusals(project, Platform.DIRECT, [one for one in worker_ids if one not in keep])
    why = {
        Refusal.BLOCKED: "blocked",
        Refusal.TOOK_PART_ELSEWHERE: "took part in an excluded project",
        Refusal.FAILED_SCREENING: "failed the screening test",
    }
    if refused:
        raise services.TaskError(", ".join(f"{name}: {why[one]}" for name, one in refused.items()))


# --- Blocks --------------------------------------------------------------------------------------


def block(platform_name: str, worker_id: str, *, reason: str, by: User | None = None) -> str:
    """Give somebody no more work; return what the platform would not do of it, else "".

    Our own refusal holds from now on, in every project and market, whatever the platform does.
    """
    Block.objects.update_or_create(
        platform=platform_name,
        worker_id=worker_id,
        defaults={"reason": reason},
        create_defaults={"reason": reason, "made_by": by},
    )
    return _asked(platform_name, lambda platform: platform.block(worker_id, reason))


def unblock(platform_name: str, worker_id: str) -> str:
    """Undo a block; return what the platform would not do of it, else ""."""
    Block.objects.filter(platform=platform_name, worker_id=worker_id).delete()
    return _asked(platform_name, lambda platform: platform.unblock(worker_id))


def _asked(platform_name: str, call: Callable[[CrowdPlatform], None]) -> str:
    """Return what a platform says against a call, "" where it is done; direct links have none."""
    if platform_name == Platform.DIRECT:
        return ""
    try:
        call(platform_of(platform_name))
    except PlatformError as error:
        return str(error)
    return ""


# --- Qualifications ------------------------------------------------------------------------------


def who_may(
    hit: HIT, offer: Offer, market: Market, *, worker_id: str = ""
) -> tuple[list[Qualification], list[Qualification]]:
    """Return the qualifications that people must not have, and those that they must, for a listing.

    worker_id: the only person whom the listing is for; by default the HIT's own.

    A listing for one person requires that they were invited (and, in later sessions, that they
    passed the test, if they took one). Anybody else's is closed to who took the HIT already and to
    who took part in excluded projects, as far as a listing takes so many conditions. The rest is
    for `refusal` to keep out: blocks, further projects, people whose grant has yet to come. The
    screening test is taken on our pages, so a first HIT cannot require it.
    """
    if only := worker_id or hit.worker_id:
        requiring = [_of_hit(hit, QualificationPurpose.INVITED, market)]
        if hit.session_number > 1 and _has_passed(hit.project, offer.platform, only):
            requiring.append(_of_project(hit.project, offer.platform, market))
        return [], requiring
    elsewhere = Qualification.objects.filter(
        platform=offer.platform,
        mode=market.mode,
        account=market.account,
        purpose=QualificationPurpose.TOOK_PART,
        project__in=hit.project.excluded_projects.all(),
        hit__worker_id="",
    ).order_by("hit__session_number", "hit__batch", "pk")
    own = _of_hit(hit, QualificationPurpose.TOOK_PART, market)
    tested = [_of_project(offer.screened_in, offer.platform, market)] if offer.screened_in else []
    return [own, *elsewhere[:MOST_OF_ELSEWHERE]], tested


def _has_passed(project: Project, platform: str, worker_id: str) -> bool:
    person = {"platform": platform, "worker_id": worker_id}
    return project.screenings.filter(**person, passed=True).exists()


def _of_hit(hit: HIT, purpose: QualificationPurpose, market: Market) -> Qualification:
    """Return a HIT's qualification in a market, made now if need be."""
    what = {QualificationPurpose.TOOK_PART: "took part", QualificationPurpose.INVITED: "invited"}
    where = f"{hit.project.slug} session {hit.session_number} batch {hit.batch}"
    return Qualification.objects.get_or_create(
        platform=hit.platform,
        mode=market.mode,
        account=market.account,
        purpose=purpose,
        hit=hit,
        defaults={"project_id": hit.project_id, "name": _name(where, what[purpose])},
    )[0]


def _of_project(project: Project, platform: str, market: Market) -> Qualification:
    """Return the qualification of who passed a project's screening test in a market."""
    return Qualification.objects.get_or_create(
        platform=platform,
        mode=market.mode,
        account=market.account,
        purpose=QualificationPurpose.SCREENED,
        project=project,
        hit=None,
        defaults={"name": _name(project.slug, "passed the test")},
    )[0]


def _name(where: str, what: str) -> str:
    """Return a name that no other qualification has, in letters that every search finds."""
    return f"CLIME {where} {what} {secrets.token_hex(4)}"


def note_took_part(assignment: Assignment) -> None:
    """Note that somebody took a place of a HIT: they are to see no other listing of it.

    Not so who has given the place back, for they may come again, nor whose own the HIT is.
    """
    is_back = Assignment.objects.filter(_given_back(), pk=assignment.pk).exists()
    if assignment.listing is None or assignment.hit.worker_id or is_back:
        return
    market = _market_of(assignment)
    took_part = _of_hit(assignment.hit, QualificationPurpose.TOOK_PART, market)
    took_part.holders.get_or_create(worker_id=assignment.worker_id)


def _given_back() -> Q:
    """The condition of assignments that ended with nothing handed in, and may be taken again."""
    ended = Q(state__in=[AssignmentState.RETURNED, AssignmentState.EXPIRED])
    nothing = Q(submitted_at=None, submitted_there_at=None)
    failed = Screening.objects.filter(
        project=OuterRef("hit__project"),
        platform=OuterRef("hit__platform"),
        worker_id=OuterRef("worker_id"),
        passed=False,
    )
    return ended & nothing & Q(status_there__in=["", StatusThere.RETURNED]) & Q(~Exists(failed))


def _market_of(assignment: Assignment) -> Market:
    listing = assignment.listing
    if listing is None:
        raise ValueError(f"{assignment} is on no platform")
    return Market(listing.mode, listing.endpoint, listing.region, listing.account)


def invite(hit: HIT, market: Market, *, worker_id: str = "") -> None:
    """Note that somebody is to be let in to a listing that is for them alone.

    worker_id: by default the HIT's own person.
    """
    only = worker_id or hit.worker_id
    if not only:
        raise ValueError(f"{hit} is for anybody")
    _of_hit(hit, QualificationPurpose.INVITED, market).holders.get_or_create(worker_id=only)
    if hit.session_number > 1 and _has_passed(hit.project, hit.platform, only):
        screened = _of_project(hit.project, hit.platform, market)
        screened.holders.get_or_create(worker_id=only)


def grant_waiting(platform_name: str, *, project: Project | None = None) -> list[str]:
    """Tell a platform who has which qualification by now; return what it would not do.

    In the present market alone; of all projects unless one is named. Somebody whom the platform
    refuses for good is not tried again until the row's error is cleared; after a trouble of the
    platform's own, the next call tries again. Raises PlatformError where no call can be made.
    """
    platform = platform_of(platform_name)
    market = platform.market()
    holders = QualificationHolder.objects.filter(
        qualification__platform=platform_name,
        qualification__mode=market.mode,
        qualification__account=market.account,
    ).select_related("qualification__project")
    if project is not None:
        holders = holders.filter(qualification__project=project)
    gave_back = holders.filter(_gave_back())
    gave_back.filter(granted_at=None).delete()
    leaving = list(gave_back)
    waiting = list(holders.filter(granted_at=None, error=""))
    if not waiting and not leaving:
        return []
    platform.funds_cents()  # refused keys are nobody's fault below: they end here
    return [
        *_told(leaving, platform.withdraw, done=QualificationHolder.delete),
        *_told(waiting, platform.grant, done=_note_granted),
    ]


def _gave_back() -> Q:
    """The condition of who holds "took part" of a HIT whose place they have given back."""
    back = Assignment.objects.filter(
        _given_back(), hit=OuterRef("qualification__hit"), worker_id=OuterRef("worker_id")
    )
    return Q(Exists(back), qualification__purpose=QualificationPurpose.TOOK_PART)


def _told(
    holders: Sequence[QualificationHolder],
    tell: Callable[[Qualification, str], None],
    *,
    done: Callable[[QualificationHolder], object],
) -> list[str]:
    """Tell the platform of one holder after the other; return the problems, as sentences."""
    problems: list[str] = []
    troubles = 0  # in a row
    for holder in holders:
        try:
            tell(holder.qualification, holder.worker_id)
        except PlatformError as error:
            problems.append(f"{holder.worker_id}, {holder.qualification}: {error}")
            if error.permanent:
                QualificationHolder.objects.filter(pk=holder.pk).update(error=str(error))
                continue
            troubles += 1
            if troubles == MOST_TROUBLES:
                break
        else:
            troubles = 0
            done(holder)
    return problems


def _note_granted(holder: QualificationHolder) -> None:
    waiting = QualificationHolder.objects.filter(pk=holder.pk, granted_at=None)
    waiting.update(granted_at=timezone.now(), error="")


# --- The screening test --------------------------------------------------------------------------


@transaction.atomic
def note_screening(assignment: Assignment, *, correct: int, asked: int) -> Screening:
    """Store what somebody answered in the screening test; the first time stands.

    Who passed gets the project's qualification. Who failed gives their place back: it is free.
    """
    project = assignment.hit.project
    platform, worker_id = assignment.hit.platform, assignment.worker_id
    needed = project.screening_percent or 0
    screening, is_new = Screening.objects.get_or_create(
        project=project,
        platform=platform,
        worker_id=worker_id,
        defaults={
            "correct": correct,
            "asked": asked,
            "passed": 100 * correct >= needed * asked,
        },
    )
    if not screening.passed:
        _free_place(assignment)
    elif is_new and assignment.listing is not None:
        screened = _of_project(project, platform, _market_of(assignment))
        screened.holders.get_or_create(worker_id=worker_id)
    return screening


def _free_place(assignment: Assignment) -> None:
    """End an assignment that its annotator may not go on with."""
    if assignment.listing is None:
        services.revoke(assignment)
        return
    Assignment.objects.filter(
        pk=assignment.pk, state__in=[AssignmentState.OFFERED, AssignmentState.ACTIVE]
    ).update(state=AssignmentState.RETURNED)
    note_took_part(assignment)
