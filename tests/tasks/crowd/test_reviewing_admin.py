"""Review in the list of assignments: each decision is asked for, confirmed and told."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tasks.crowd import ledger
from tasks.models import Assignment, LedgerEntry, Listing
from tests.factories import make_link

pytestmark = pytest.mark.django_db

LIST = reverse("admin:tasks_assignment_changelist")
LEDGER = reverse("admin:tasks_ledgerentry_changelist")
RUSHED = "Every word was accepted within a second."


@pytest.fixture
def manager(client):
    client.force_login(User.objects.create_superuser("manager"))
    return client


def choose(client, action, *rows, where=LIST):
    """Choose an action for rows of a list; return the page that asks."""
    form = {"action": action, "_selected_action": [row.pk for row in rows], "index": 0}
    return client.post(where, form)


def confirm(client, page, **answers):
    """Send the form of the page that asks, as it stands but for some answers."""
    html = page.content.decode()
    form = html[html.index('<form method="post">') :]
    data = {}
    for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form):
        data.setdefault(name, []).append(value)
    return client.post(page.wsgi_request.get_full_path(), data | answers, follow=True)


def messages(response):
    return [unescape(str(message)) for message in response.context["messages"]]


def paid_there(mturk):
    return mturk.market.ledger.spent_cents()


def test_choosing_to_approve_asks_first_and_shows_the_money(mturk, manager, hand_in):
    people = [hand_in(name) for name in ("AMINA", "BARAKA")]
    page = choose(manager, "approve_work", *people).content.decode()
    assert "SANDBOX: NOBODY IS PAID" in page
    assert "2 rewards, SANDBOX: 1.00 USD and 0.20 USD in fees, 1.20 USD in all." in page
    assert not Assignment.objects.exclude(decision="").exists()
    assert paid_there(mturk) == 0


def test_the_sum_is_of_those_who_would_be_paid(mturk, manager, hand_in):
    people = [hand_in(name) for name in ("AMINA", "BARAKA", "CHIKU")]
    confirm(manager, choose(manager, "approve_work", people[0]))
    confirm(manager, choose(manager, "reject_work", people[1]), reason=RUSHED)
    for action in ("approve_work", "overrule_rejection"):
        page = choose(manager, action, *people).content.decode()
        assert "1 reward, SANDBOX: 0.50 USD and 0.10 USD in fees, 0.60 USD in all." in page


def test_confirming_approves_and_says_so_for_each(mturk, manager, hand_in):
    people = [hand_in(name) for name in ("AMINA", "BARAKA")]
    page = choose(manager, "approve_work", *people)
    said = messages(confirm(manager, page, feedback="Thank you."))
    assert said == [
        f"{name}: approved and paid: 0.50 USD and a fee of 0.10 USD (SANDBOX)."
        for name in ("AMINA", "BARAKA")
    ]
    decided = Assignment.objects.values_list("decided_by__username", "feedback", "status_there")
    assert set(decided) == {("manager", "Thank you.", "approved")}
    assert paid_there(mturk) == 120


def test_a_failure_of_one_stops_no_other(mturk, manager, hand_in, arrive):
    people = [arrive("AMINA"), hand_in("BARAKA")]
    said = messages(confirm(manager, choose(manager, "approve_work", *people)))
    assert said[0] == "AMINA has not handed in on the platform yet."
    assert said[1].startswith("BARAKA: approved and paid")
    assert paid_there(mturk) == 60


def test_a_rejection_asks_for_its_reason(mturk, manager, hand_in):
    amina = hand_in("AMINA")
    page = choose(manager, "reject_work", amina)
    again = confirm(manager, page, reason=" ")
    assert "This field is required." in again.content.decode()
    amina.refresh_from_db()
    assert amina.decision == ""
    assert messages(confirm(manager, page, reason=RUSHED)) == ["AMINA: rejected (SANDBOX)."]
    assert mturk.market.assignments[amina.platform_id].feedback == RUSHED


def test_a_rejection_is_overruled(mturk, manager, hand_in):
    amina = hand_in("AMINA")
    confirm(manager, choose(manager, "reject_work", amina), reason=RUSHED)
    said = messages(confirm(manager, choose(manager, "overrule_rejection", amina)))
    assert said == ["AMINA: approved and paid: 0.50 USD and a fee of 0.10 USD (SANDBOX)."]
    assert paid_there(mturk) == 60


def test_a_bonus_form_sent_twice_pays_each_once(mturk, manager, hand_in):
    page = choose(manager, "pay_bonus", hand_in("AMINA"), hand_in("ASHA"))
    for _ in range(2):
        said = messages(confirm(manager, page, amount="1.20", reason="Very careful."))
        assert said == [
            f"{name}: a bonus was paid: 1.20 USD and a fee of 0.24 USD (SANDBOX)."
            for name in ("AMINA", "ASHA")
        ]
    assert paid_there(mturk) == 2 * 144
    assert {entry.made_by.username for entry in LedgerEntry.objects.filter(kind="bonus")} == {
        "manager"
    }


@pytest.mark.parametrize("amount", ["", "ten", "0.00", "-1", "1,50"])
def test_what_is_no_amount_is_named_and_nothing_paid(mturk, manager, hand_in, amount):
    page = choose(manager, "pay_bonus", hand_in("AMINA"))
    html = unescape(confirm(manager, page, amount=amount, reason="Careful.").content.decode())
    wanted = f"'{amount}' is not an amount such as 1.50." if amount else "This field is required."
    assert wanted in html
    assert paid_there(mturk) == 0


def test_a_compensation_is_offered_to_its_person(mturk, manager, arrive):
    page = choose(manager, "compensate_work", arrive("AMINA"))
    (said,) = messages(confirm(manager, page, amount="0.70", reason="Our page was down."))
    listing = Listing.objects.get(purpose="compensation")
    assert said.endswith(f"waits for them there: {listing.platform_id} (SANDBOX).")
    assert listing.platform_id in mturk.visible_hits("AMINA")


def test_nothing_happens_to_who_came_by_a_direct_link(mturk, manager, project):
    page = choose(manager, "approve_work", make_link(project, "zawadi")).content.decode()
    assert "are paid by hand" in page
    assert "zawadi" in page
    assert "Yes, approve" not in page


@pytest.mark.parametrize("action", ["approve_work", "reject_work", "pay_bonus"])
def test_who_may_only_look_decides_nothing(mturk, client, hand_in, action):
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_assignment"))
    client.force_login(viewer)
    amina = hand_in("AMINA")
    form = {"action": action, "_selected_action": [amina.pk], "confirmed": "yes"}
    form |= {"reason": RUSHED, "amount": "1.00", "key": "0" * 32}
    client.post(LIST, form)
    amina.refresh_from_db()
    assert amina.decision == ""
    assert paid_there(mturk) == 0


def test_looking_at_the_page_changes_nothing(mturk, manager, hand_in):
    amina = hand_in("AMINA")
    query = f"?action=approve_work&_selected_action={amina.pk}&confirmed=yes"
    manager.get(LIST + query)
    amina.refresh_from_db()
    assert amina.decision == ""


def test_the_list_shows_what_is_to_be_reviewed(mturk, manager, hand_in, arrive):
    waiting, decided, noted = hand_in("AMINA"), hand_in("BARAKA"), arrive("CHIKU")
    rows = Assignment.objects
    rows.filter(pk=waiting.pk).update(
        status_there="submitted", approves_itself_at=timezone.now() + timedelta(days=3)
    )
    rows.filter(pk=decided.pk).update(status_there="submitted", decision="approve")
    rows.filter(pk=noted.pk).update(note="Somebody else's.")

    def shown(review):
        return {
            row.worker_id for row in manager.get(LIST, {"review": review}).context["cl"].result_list
        }

    assert shown("waiting") == {"AMINA"}
    assert shown("undone") == {"BARAKA"}
    assert shown("noted") == {"CHIKU"}
    html = manager.get(LIST, {"review": "waiting"}).content.decode()
    assert re.search(r"submitted, approves itself \d{4}-\d\d-\d\d \d\d:\d\d \(SANDBOX\)", html)


def test_the_list_takes_as_many_queries_for_many_as_for_few(mturk, manager, hand_in):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert manager.get(LIST).status_code == 200
        return len(captured)

    confirm(manager, choose(manager, "approve_work", hand_in("AMINA"), hand_in("BARAKA")))
    queries()
    before = queries()
    confirm(manager, choose(manager, "approve_work", hand_in("CHIKU"), hand_in("DALILA")))
    queries()  # which shows the messages
    assert queries() == before


def test_too_many_at_a_time_are_refused(mturk, manager, hand_in, monkeypatch):
    monkeypatch.setattr("tasks.admin.reviewing.MOST_AT_A_TIME", 1)
    page = choose(manager, "approve_work", hand_in("AMINA"), hand_in("BARAKA"))
    assert messages(manager.get(page.url)) == ["Choose 1 at most: 2 were chosen."]


@pytest.mark.parametrize(
    ("action", "state"), [("was_paid", "confirmed"), ("was_not_paid", "failed")]
)
def test_what_was_found_of_a_bonus_is_confirmed_and_noted(mturk, manager, hand_in, action, state):
    sent, planned = (
        ledger.promise_bonus(hand_in(name), cents=120, fee_cents=24, reason="Careful.")
        for name in ("AMINA", "BARAKA")
    )
    ledger.note_sent(sent)
    LedgerEntry.objects.filter(kind="bonus").update(platform="prolific")
    page = choose(manager, action, sent, planned, where=LEDGER)
    assert "Look at them on its own pages first." in page.content.decode()
    said = messages(confirm(manager, page))
    assert "is planned, and nobody has to say whether it was paid" in said[1]
    states = LedgerEntry.objects.filter(kind="bonus").values_list("state", flat=True)
    assert list(states) == [state, "planned"]
