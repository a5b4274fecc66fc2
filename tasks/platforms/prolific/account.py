"""The Prolific account that the settings name: client, workspace and project, groups."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from functools import cached_property

from django.conf import settings

from tasks.models import Mode, Platform, Qualification
from tasks.platforms.base import Market, OutcomeUnknown, PlatformError
from tasks.platforms.outbox import Answer, is_under_way, once
from tasks.platforms.prolific.client import ProlificClient

# Calls that make something have no token. But what was made is listed soon: what is not listed
# after so long was not made.
APPEARS_WITHIN = timedelta(minutes=1)


class Account:
    """sleep: how to wait before a call is tried again."""

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep

    @property
    def market(self) -> Market:
        """Where calls go. Prolific has no sandbox. Raises PlatformError without a token."""
        if not settings.PROLIFIC_TOKEN:
            raise PlatformError(
                "PROLIFIC_TOKEN is not set: make one on Prolific, under Settings, API tokens",
                permanent=True,
            )
        return Market(Mode.LIVE, settings.PROLIFIC_API_URL, "", settings.PROLIFIC_PROJECT)

    @cached_property
    def client(self) -> ProlificClient:
        market = self.market
        try:
            return ProlificClient(market.endpoint, settings.PROLIFIC_TOKEN, sleep=self._sleep)
        except ValueError as error:
            raise PlatformError(str(error), permanent=True) from error

    @cached_property
    def _rooms(self) -> tuple[str, str]:
        wanted = settings.PROLIFIC_PROJECT
        for workspace in self.client.workspaces():
            for project in self.client.projects(workspace.id):
                if not wanted or project.id == wanted:
                    return workspace.id, project.id
        missing = f"has no project {wanted} (PROLIFIC_PROJECT)" if wanted else "has no project"
        raise PlatformError(f"the account of PROLIFIC_TOKEN {missing}", permanent=True)

    @property
    def workspace_id(self) -> str:
        """The workspace whose money is spent."""
        return self._rooms[0]

    @property
    def project_id(self) -> str:
        """The project that studies go to."""
        return self._rooms[1]

    def group_id(self, qualification: Qualification) -> str:
        """Return the id of a qualification's participant group, which is made the first time."""
        if not qualification.platform_id:
            made = once(
                _group_key(qualification),
                platform=Platform.PROLIFIC,
                mode=qualification.mode,
                operation="CreateParticipantGroup",
                send=lambda _token: self._make_group(qualification),
                find=lambda: self._find_group(qualification),
            )
            qualification.platform_id = made["platform_id"]
            qualification.save(update_fields=["platform_id"])
        return qualification.platform_id

    def _make_group(self, qualification: Qualification) -> Answer:
        made = self.client.create_group(self.workspace_id, qualification.name)
        return {"platform_id": made.id}

    def _find_group(self, qualification: Qualification) -> Answer | None:
        for group in self.client.groups(self.workspace_id):
            if group.name == qualification.name:
                return {"platform_id": group.id}
        if is_under_way(_group_key(qualification), within=APPEARS_WITHIN):
            raise OutcomeUnknown(
                f"the participant group {qualification.name!r} was asked for less than a minute "
                "ago and is not on Prolific yet; it is looked for again later"
            )
        return None


def _group_key(qualification: Qualification) -> str:
    return f"qualification-{qualification.pk}"
