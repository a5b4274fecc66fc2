"""Qualification types of ours, each made once: names are unique in an account."""

from __future__ import annotations

from tasks.models import Platform, Qualification
from tasks.platforms.base import DoneBefore
from tasks.platforms.mturk.client import Client, MTurkRefusal
from tasks.platforms.outbox import Answer, once


def ensured_id(client: Client, qualification: Qualification) -> str:
    """Return the id of a qualification type, which is made the first time."""
    if not qualification.platform_id:
        made = once(
            f"qualification-{qualification.pk}",
            platform=Platform.MTURK,
            mode=qualification.mode,
            operation="CreateQualificationType",
            send=lambda _token: _make(client, qualification),
            find=lambda: _find(client, qualification),
        )
        qualification.platform_id = made["platform_id"]
        qualification.save(update_fields=["platform_id"])
    return qualification.platform_id


def _make(client: Client, qualification: Qualification) -> Answer:
    try:
        made = client.call(
            "create_qualification_type",
            Name=qualification.name,
            Description=f"{qualification.project}: {qualification.get_purpose_display()}"[:2000],
            QualificationTypeStatus="Active",
        )
    except MTurkRefusal as refusal:
        # Names are unique in an account, which makes the name a token.
        if "alreadyexists" not in refusal.code and "already" not in str(refusal).casefold():
            raise
        raise DoneBefore(str(refusal)) from refusal
    return {"platform_id": made["QualificationType"]["QualificationTypeId"]}


def _find(client: Client, qualification: Qualification) -> Answer | None:
    types = client.pages(
        "list_qualification_types",
        "QualificationTypes",
        Query=qualification.name,
        MustBeRequestable=False,
        MustBeOwnedByCaller=True,
    )
    for one in types:
        if one.get("Name") == qualification.name:
            return {"platform_id": one["QualificationTypeId"]}
    return None
