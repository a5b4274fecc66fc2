"""Review, in the list of assignments: who is paid, who is not and why; each is confirmed first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4, uuid5

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import Truncator

from models_ml.admin import count
from tasks.crowd import compensating, paying
from tasks.crowd.ledger import cents_of, dollars
from tasks.models import Assignment, Decision, EntryState, LedgerEntry, Mode, StatusThere

MOST_AT_A_TIME = 100  # each asks the platform twice while the page waits
WIDE = {"class": "vLargeTextField", "rows": 4}


class ReviewFilter(admin.SimpleListFilter):
    title = "review"
    parameter_name = "review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("waiting", "to be reviewed"),
            ("undone", "decided, and not done there yet"),
            ("noted", "does not fit what the platform says"),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Assignment]
    ) -> QuerySet[Assignment] | None:
        wanted = {
            "waiting": Q(status_there=StatusThere.SUBMITTED, decision=""),
            "undone": Q(status_there__in=["", StatusThere.SUBMITTED]) & ~Q(decision=""),
            "noted": ~Q(note=""),
        }
        chosen = wanted.get(self.value() or "")
        return None if chosen is None else queryset.filter(chosen)


# --- What is asked before anything is done ---


class FeedbackForm(forms.Form):
    feedback = forms.CharField(
        required=False,
        max_length=1024,
        widget=forms.Textarea(WIDE),
        help_text="They read it with the decision; it may be empty.",
    )


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=1024,
        widget=forms.Textarea(WIDE),
        help_text="They read it. Prolific wants at least 100 characters for a rejection.",
    )


class AmountForm(ReasonForm):
    amount = forms.CharField(max_length=9, help_text="For each of them, such as 1.50.")
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    field_order = ("amount", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = "They read it."

    def clean_amount(self) -> int:
        """Return the amount in cents."""
        try:
            return cents_of(self.cleaned_data["amount"])
        except ValueError as error:
            raise forms.ValidationError(f"{error}.") from error


Answers = Mapping[str, Any]


def _approve(one: Assignment, said: Answers, by: Any) -> str:
    return _paid(paying.approve(one, by=by, feedback=said["feedback"]))


def _reject(one: Assignment, said: Answers, by: Any) -> str:
    paying.reject(one, by=by, reason=said["reason"])
    return "rejected"


def _overrule(one: Assignment, said: Answers, by: Any) -> str:
    return _paid(paying.overrule(one, by=by, feedback=said["feedback"]))


def _bonus(one: Assignment, said: Answers, by: Any) -> str:
    # The form's key, made each person's own: sent twice, it pays each of them once.
    key = uuid5(UUID(str(said["key"])), str(one.pk))
    entry = paying.bonus(one, cents=said["amount"], reason=said["reason"], by=by, key=key)
    return f"a bonus was paid: {_amounts(entry)}"


def _compensate(one: Assignment, said: Answers, by: Any) -> str:
    listing = compensating.compensate(
        one.hit.project, one.worker_id, cents=said["amount"], reason=said["reason"], by=by
    )
    return f"a HIT of their own waits for them there: {listing.platform_id}"


def _paid(assignment: Assignment) -> str:
    rows = assignment.ledger.committed().exclude(kind="bonus")
    return f"approved and paid: {', '.join(_amounts(row) for row in rows)}"


def _amounts(entry: LedgerEntry) -> str:
    return f"{dollars(entry.cents)} and a fee of {dollars(entry.fee_cents)}"


@dataclass(frozen=True)
class Review:
    """Something that a manager does about people's work, and the page that asks for it."""

    title: str
    explanation: str
    button: str
    form: type[forms.Form]
    do: Callable[[Assignment, Answers, Any], str]  # returns what happened, for the manager
    pays: Callable[[Assignment], bool] = lambda one: False  # whether somebody's reward is paid


def _is_rejected(one: Assignment) -> bool:
    return one.decision == Decision.REJECT or one.status_there == StatusThere.REJECTED


def _is_unpaid(one: Assignment) -> bool:
    return one.status_there != StatusThere.APPROVED


REVIEWS = {
    "approve": Review(
        title="Approve and pay?",
        explanation="These people are paid the reward of their HIT. This cannot be undone.",
        button="Yes, approve and pay",
        form=FeedbackForm,
        do=_approve,
        pays=lambda one: _is_unpaid(one) and not _is_rejected(one),
    ),
    "reject": Review(
        title="Reject?",
        explanation=(
            "These people are not paid, and it counts against them for all who hire there. On "
            "Mechanical Turk a rejection can be taken back for 30 days, on Prolific never."
        ),
        button="Yes, reject",
        form=ReasonForm,
        do=_reject,
    ),
    "overrule": Review(
        title="Take rejections back and pay?",
        explanation="These people are approved after all, and paid the reward of their HIT.",
        button="Yes, approve and pay",
        form=FeedbackForm,
        do=_overrule,
        pays=lambda one: _is_unpaid(one) and _is_rejected(one),
    ),
    "bonus": Review(
        title="Pay a bonus?",
        explanation="Each of these people is paid this amount; the platform’s fee comes on top.",
        button="Yes, pay",
        form=AmountForm,
        do=_bonus,
    ),
    "compensate": Review(
        title="Compensate?",
        explanation=(
            "For people who worked and could not hand in. Each is offered a HIT that nobody else "
            "sees and that asks nothing; once they hand it in, they are paid this amount. The "
            "platform’s fee comes on top."
        ),
        button="Yes, offer it",
        form=AmountForm,
        do=_compensate,
    ),
}


class ReviewActions(admin.ModelAdmin[Assignment]):
    """The actions by which assignments are reviewed, and the columns that they go by."""

    review_actions = (
        "approve_work",
        "reject_work",
        "overrule_rejection",
        "pay_bonus",
        "compensate_work",
    )
    review_columns = ("there", "verdict", "money")

    @admin.display(description="on the platform", ordering="status_there")
    def there(self, assignment: Assignment) -> str:
        listing = assignment.listing
        if listing is None:
            return "–"
        said = assignment.get_status_there_display() or "not handed in"
        if assignment.status_there == StatusThere.SUBMITTED and assignment.approves_itself_at:
            said += f", approves itself {assignment.approves_itself_at:%Y-%m-%d %H:%M}"
        return f"{said} ({listing.mode.upper()})"

    @admin.display(description="decision", ordering="decision")
    def verdict(self, assignment: Assignment) -> str:
        if not assignment.decision:
            return "–"
        by = f" by {assignment.decided_by}" if assignment.decided_by else ""
        return f"{assignment.get_decision_display()}{by}"

    @admin.display(description="money")
    def money(self, assignment: Assignment) -> str:
        rows = [row for row in assignment.ledger.all() if row.state != EntryState.FAILED]
        said = [f"{row.kind} {dollars(row.cents + row.fee_cents)} {row.state}" for row in rows]
        return "; ".join(said) or "–"

    @admin.display(description="note")
    def remark(self, assignment: Assignment) -> str:
        return Truncator(assignment.note).chars(80) or "–"

    @admin.action(description="Approve and pay …", permissions=["operate"])
    def approve_work(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> Any:
        return self._review(request, queryset, "approve")

    @admin.action(description="Reject: not paid …", permissions=["operate"])
    def reject_work(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> Any:
        return self._review(request, queryset, "reject")

    @admin.action(description="Overrule: take a rejection back …", permissions=["operate"])
    def overrule_rejection(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> Any:
        return self._review(request, queryset, "overrule")

    @admin.action(description="Pay a bonus …", permissions=["operate"])
    def pay_bonus(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> Any:
        return self._review(request, queryset, "bonus")

    @admin.action(description="Compensate who could not hand in …", permissions=["operate"])
    def compensate_work(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> Any:
        return self._review(request, queryset, "compensate")

    def _review(
        self, request: HttpRequest, queryset: QuerySet[Assignment], name: str
    ) -> HttpResponse | None:
        """Ask about the chosen people's work, or do what was asked and confirmed."""
        review = REVIEWS[name]
        chosen = list(queryset.select_related("hit__project", "listing").order_by("pk"))
        if len(chosen) > MOST_AT_A_TIME:
            text = f"Choose {MOST_AT_A_TIME} at most: {len(chosen)} were chosen."
            self.message_user(request, text, messages.ERROR)
            return None
        form = review.form(request.POST if "confirmed" in request.POST else None)
        if form.is_bound and form.is_valid():
            self._carry_out(request, chosen, review, form.cleaned_data)
            return None
        theirs = [one for one in chosen if one.listing]
        context = {
            **self.admin_site.each_context(request),
            "title": review.title,
            "opts": self.opts,
            "review": review,
            "form": form,
            "assignments": theirs,
            "others": [one for one in chosen if not one.listing],
            "sums": list(_sums([one for one in theirs if review.pays(one)])),
            "modes": sorted({Mode(one.listing.mode).label for one in theirs if one.listing}),
            "action": request.POST.get("action"),
            "checkbox_name": helpers.ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/tasks/assignment/review.html", context)

    def _carry_out(
        self, request: HttpRequest, chosen: Iterable[Assignment], review: Review, said: Answers
    ) -> None:
        for one in chosen:
            try:
                happened = review.do(one, said, request.user)
            except paying.REFUSALS as error:
                text = paying.naming(one.worker_id, error)
                self.message_user(request, f"{text}.", messages.ERROR)
            else:
                mode = f" ({one.listing.mode.upper()})" if one.listing else ""
                text = f"{one.worker_id}: {happened}{mode}."
                self.message_user(request, text, messages.SUCCESS)


def _sums(assignments: Iterable[Assignment]) -> Iterable[str]:
    """Return what paying the rewards of these comes to, in each market."""
    for mode in Mode:
        listings = [one.listing for one in assignments if one.listing and one.listing.mode == mode]
        if listings:
            rewards = sum(listing.reward_cents for listing in listings)
            fees = sum(listing.fee_cents for listing in listings)
            yield (
                f"{count(len(listings), 'reward')}, {mode.upper()}: {dollars(rewards)} and "
                f"{dollars(fees)} in fees, {dollars(rewards + fees)} in all"
            )
