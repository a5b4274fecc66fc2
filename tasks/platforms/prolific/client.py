"""Prolific's REST API, a method a call (docs.prolific.com/api-reference).

It keeps nothing and decides nothing: what a study or a payment means to us is for others to know.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from tasks.platforms.base import PlatformError
from tasks.platforms.prolific.http import (
    Answer,
    BackOff,
    Call,
    ProlificConnection,
    ProlificRefusal,
)
from tasks.platforms.prolific.types import (
    Balance,
    Bonus,
    BonusBatch,
    Filter,
    Named,
    NewStudy,
    RejectionCategory,
    Study,
    StudyAction,
    Submission,
    Subscription,
    checked_id,
)

T = TypeVar("T")
Json = dict[str, Any]

SHORTEST_REJECTION = 100  # characters
MOST_BONUSES = 200  # in a batch; Prolific recommends no more
_PAGE_SIZE = 100
_MOST_PAGES = 1000  # a server that repeats itself must not keep a worker for ever


class ProlificClient:
    """Calls Prolific with one token.

    Every method raises PlatformError where it is not done, OutcomeUnknown where it may have been
    done, and ValueError for an id that cannot be one.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        timeout_s: float = 30.0,
        *,
        back_off: BackOff | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = ProlificConnection(
            base_url, token, timeout_s, back_off=back_off, sleep=sleep
        )

    # Account

    def workspaces(self) -> list[Named]:
        return self._pages("workspaces/", Named.from_json)

    def projects(self, workspace_id: str) -> list[Named]:
        return self._pages(f"workspaces/{checked_id(workspace_id)}/projects/", Named.from_json)

    def balance(self, workspace_id: str) -> Balance:
        return self._get(f"workspaces/{checked_id(workspace_id)}/balance/", Balance.from_json)

    # Studies

    def studies(self, project_id: str) -> list[Study]:
        """Return a project's studies, drafts among them: what a lost answer left is found here."""
        return self._pages(f"projects/{checked_id(project_id)}/studies/", Study.from_json)

    def study(self, study_id: str) -> Study:
        return self._get(f"studies/{checked_id(study_id)}/", Study.from_json)

    def create_study(self, study: NewStudy) -> Study:
        """Make a draft; sent twice, it makes two."""
        return self._post("studies/", study.as_json(), Study.from_json)

    def transition_study(self, study_id: str, action: StudyAction) -> Study:
        body = {"action": action.value}
        return self._post(f"studies/{checked_id(study_id)}/transition/", body, Study.from_json)

    def set_places(self, study_id: str, places: int) -> Study:
        """Set how many places a study has in all: once it is published, only more are allowed."""
        body = {"total_available_places": places}
        call = Call("PATCH", f"studies/{checked_id(study_id)}/", body=body)
        return self._connection.send(call, _reading(Study.from_json))

    def delete_draft(self, study_id: str) -> None:
        self._connection.send(Call("DELETE", f"studies/{checked_id(study_id)}/"), _ignore)

    def filters(self, workspace_id: str) -> list[Filter]:
        """Return what participants can be chosen by."""
        query = (("workspace_id", checked_id(workspace_id)),)
        return self._connection.send(
            Call("GET", "filters/", query, repeatable=True),
            lambda answer: [Filter.from_json(one) for one in answer.json["results"]],
        )

    # Submissions

    def submissions(self, study_id: str) -> list[Submission]:
        """Return all submissions, oldest first: one that comes meanwhile shifts no page."""
        query = (("study", study_id), ("ordering", "started_at"))
        read = partial(Submission.from_json, study_id=study_id)
        return self._pages("submissions/", read, query=query)

    def submission(self, submission_id: str) -> Submission:
        return self._get(f"submissions/{checked_id(submission_id)}/", Submission.from_json)

    def approve(self, submission_id: str) -> None:
        """Approve and so pay; documented as idempotent."""
        self._transition_submission(submission_id, {"action": "APPROVE"})

    def reject(self, submission_id: str, *, category: RejectionCategory, message: str) -> None:
        """Reject, for good. Raises ValueError for a reason that Prolific would find too short."""
        if len(message.strip()) < SHORTEST_REJECTION:
            raise ValueError(
                f"a rejection needs {SHORTEST_REJECTION} characters, not {len(message)}"
            )
        body = {"action": "REJECT", "rejection_category": category.value, "message": message}
        self._transition_submission(submission_id, body)

    def complete(self, submission_id: str, code: str) -> None:
        """Hand in a code whose actor is the researcher, for somebody who could not."""
        self._transition_submission(submission_id, {"action": "COMPLETE", "completion_code": code})

    def request_return(self, submission_id: str, reasons: Sequence[str]) -> None:
        """Ask a participant to give the place back; each call sends them a message."""
        body = {"request_return_reasons": list(reasons)}
        path = f"submissions/{checked_id(submission_id)}/request-return/"
        self._connection.send(Call("POST", path, body=body), _ignore)

    # Bonuses

    def set_up_bonuses(self, study_id: str, bonuses: Sequence[Bonus]) -> BonusBatch:
        """Say who is to get what; nobody is paid yet. Raises ValueError for none or too many."""
        if not 0 < len(bonuses) <= MOST_BONUSES:
            raise ValueError(f"a batch holds 1 to {MOST_BONUSES} bonuses, not {len(bonuses)}")
        lines = "\n".join(bonus.as_csv() for bonus in bonuses)
        body = {"study_id": study_id, "csv_bonuses": lines}
        return self._post("submissions/bonus-payments/", body, BonusBatch.from_json)

    def pay_bonuses(self, batch_id: str) -> None:
        """Pay a batch, some minutes later. Each call pays again: after OutcomeUnknown, look."""
        self._connection.send(
            Call("POST", f"bulk-bonus-payments/{checked_id(batch_id)}/pay/", pays=True), _ignore
        )

    # Participant groups and messages

    def groups(self, workspace_id: str) -> list[Named]:
        query = (("workspace_id", checked_id(workspace_id)),)
        return self._pages("participant-groups/", Named.from_json, query=query)

    def create_group(self, workspace_id: str, name: str) -> Named:
        body = {"workspace_id": workspace_id, "name": name}
        return self._post("participant-groups/", body, Named.from_json)

    def add_to_group(self, group_id: str, participant_ids: Sequence[str]) -> None:
        """Add participants; those who are in it already stay."""
        self._change_group("POST", group_id, participant_ids)

    def remove_from_group(self, group_id: str, participant_ids: Sequence[str]) -> None:
        self._change_group("DELETE", group_id, participant_ids)

    def group_members(self, group_id: str) -> list[str]:
        path = f"participant-groups/{checked_id(group_id)}/participants/"
        return self._get(path, lambda told: [one["participant_id"] for one in told["results"]])

    def message(self, participant_ids: Sequence[str], text: str, *, study_id: str) -> None:
        body = {"ids": list(participant_ids), "body": text, "study_id": study_id}
        self._connection.send(Call("POST", "messages/bulk/", body=body), _ignore)

    # Webhooks

    def create_hook_secret(self, workspace_id: str) -> str:
        """Return a new secret for signatures; the workspace's former one ends."""
        body = {"workspace_id": workspace_id}
        return self._post("hooks/secrets/", body, lambda told: str(told["value"]))

    def subscribe(self, workspace_id: str, *, event_type: str, target_url: str) -> Subscription:
        """Subscribe an https address to events, and confirm it."""
        body = {"workspace_id": workspace_id, "event_type": event_type, "target_url": target_url}
        path = "hooks/subscriptions/"
        subscription_id, secret = self._connection.send(
            Call("POST", path, body=body), _made_subscription
        )
        return self._post(
            f"{path}{checked_id(subscription_id)}/", {"secret": secret}, Subscription.from_json
        )

    def subscriptions(self, workspace_id: str) -> list[Subscription]:
        call = Call(
            "GET", "hooks/subscriptions/", (("workspace_id", workspace_id),), repeatable=True
        )
        return self._connection.send(
            call, lambda answer: [Subscription.from_json(one) for one in answer.json["results"]]
        )

    def unsubscribe(self, subscription_id: str) -> None:
        self._connection.send(
            Call("DELETE", f"hooks/subscriptions/{checked_id(subscription_id)}/"), _ignore
        )

    def _get(self, path: str, read: Callable[[Json], T]) -> T:
        return self._connection.send(Call("GET", path, repeatable=True), _reading(read))

    def _post(self, path: str, body: Json, read: Callable[[Json], T]) -> T:
        return self._connection.send(Call("POST", path, body=body), _reading(read))

    def _transition_submission(self, submission_id: str, body: Json) -> None:
        path = f"submissions/{checked_id(submission_id)}/transition/"
        self._connection.send(Call("POST", path, body=body, repeatable=True), _ignore)

    def _change_group(self, method: str, group_id: str, participant_ids: Sequence[str]) -> None:
        path = f"participant-groups/{checked_id(group_id)}/participants/"
        body = {"participant_ids": list(participant_ids)}
        self._connection.send(Call(method, path, body=body, repeatable=True), _ignore)

    def _pages(
        self, path: str, read: Callable[[Json], T], *, query: tuple[tuple[str, str], ...] = ()
    ) -> list[T]:
        """Return what all pages list, each id once."""
        rows: dict[str, Json] = {}
        for page in range(1, _MOST_PAGES + 1):
            paging = (("page", str(page)), ("page_size", str(_PAGE_SIZE)))
            told = self._page(Call("GET", path, query + paging, repeatable=True), page)
            new = {row["id"]: row for row in told["results"] if row["id"] not in rows}
            rows |= new
            if not new or _is_last(told, len(rows)):
                return [read(row) for row in rows.values()]
        raise PlatformError(f"Prolific's list {path} has no end", permanent=True)

    def _page(self, call: Call, page: int) -> Json:
        """Return a page; one after the last is empty, or is not found."""
        try:
            return self._connection.send(call, _reading(_listing))
        except ProlificRefusal as refusal:
            if page == 1 or refusal.status != 404:
                raise
            return {"results": []}


def _is_last(told: Json, rows: int) -> bool:
    """Return whether a page says that no other follows; the reference promises neither sign."""
    following = (told.get("_links") or {}).get("next")
    if following is not None:
        return not following.get("href")
    count = (told.get("meta") or {}).get("count")
    return count is not None and rows >= count


def _reading(read: Callable[[Json], T]) -> Callable[[Answer], T]:
    return lambda answer: read(answer.json)


def _listing(told: Json) -> Json:
    """Return a page as it is; raises where it lists nothing that has an id."""
    for row in told["results"]:
        row["id"]
    return told


def _made_subscription(answer: Answer) -> tuple[str, str]:
    """Return a new subscription's id, and the secret by which it is confirmed."""
    told = answer.json
    made = told["results"][0] if "results" in told else told
    return made["id"], answer.headers["X-Hook-Secret"]


def _ignore(answer: Answer) -> None:
    """Take an answer's coming for what it says."""
