"""Two tabs, two devices, wrong clocks, breaks: the last choice stands everywhere."""

import json

import pytest
from playwright.sync_api import expect

from annotation.models import Judgement, Session
from tests.e2e.sameness import begin, go, is_same, look_at, seen, wait_until_sent
from tests.e2e.steps import add_word, is_pressed, press, press_keys, row, wait_until_saved
from tests.e2e.test_network import open_task, status, suggest
from tests.factories import make_project

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

STANDS = "Another choice, made later, stands."


def change_devices(page):
    """Let pass what somebody needs to turn from one device to another.

    Devices reckon the server's time but for what an answer of it took to arrive.
    """
    page.wait_for_timeout(1_000)


def verdict(word):
    return Judgement.objects.current().get(word__text=word).verdict


# --- Two of a person -----------------------------------------------------------------------------


@pytest.fixture(params=["tabs", "devices"])
def two_pages(new_device, request):
    """Two pages of one person: tabs of one browser, or two devices; and their assignment."""
    assignment = begin(make_project(keywords=2, documents=1))
    device = new_device()
    other = device if request.param == "tabs" else new_device()
    return open_task(device, assignment), open_task(other, assignment), assignment


def test_two_pages_come_to_show_and_store_the_last_choice(two_pages):
    one, other, assignment = two_pages
    press(one, "nurse", "Accept")
    press(one, "medicine", "Reject")
    add_word(one, "Swahili", "mt", "mto")
    suggest(one, "daktari wa meno")
    wait_until_sent(one)
    look_at(other)
    is_same(other, assignment)
    assert is_pressed(other, "nurse", "Accept")
    press(other, "nurse", "Reject")
    press(other, "medicine", "Reject")
    row(other, "mto").get_by_role("button", name="Remove").click()
    other.locator(".suggestion button").click()
    wait_until_sent(other)
    look_at(one)
    assert seen(one) == seen(other)
    is_same(one, assignment)
    assert verdict("nurse") == "reject"
    assert not Judgement.objects.decided().exclude(word__text="nurse").exists()


def test_a_page_that_knows_of_no_other_choice_still_has_the_last_word(two_pages):
    one, other, assignment = two_pages
    for button in ("Accept", "Accept", "Reject"):
        press(one, "nurse", button)
        wait_until_sent(one)
    change_devices(one)
    press(other, "nurse", "Accept")
    wait_until_sent(other)
    look_at(one)
    assert is_pressed(one, "nurse", "Accept")
    assert verdict("nurse") == "accept"
    is_same(one, assignment)
    is_same(other, assignment)


def test_the_category_of_a_text_is_the_last_one_too(two_pages):
    one, other, assignment = two_pages
    for page in (one, other):
        go(page, "next")
        go(page, "next")
    one.get_by_role("button", name="Emergency").click()
    wait_until_sent(one)
    change_devices(one)
    other.get_by_role("button", name="I can’t tell").click()
    wait_until_sent(other)
    look_at(one)
    assert seen(one)["label"] == "none"
    one.get_by_role("button", name="Undo", exact=True).click()
    wait_until_sent(one)
    look_at(other)
    assert seen(other)["label"] is None
    is_same(one, assignment)
    is_same(other, assignment)


def test_the_other_tab_of_a_browser_shows_a_choice_that_is_not_sent_yet(new_device):
    assignment = begin(make_project(keywords=2))
    device = new_device()
    one, other = open_task(device, assignment), open_task(device, assignment)
    device.set_offline(True)
    press(one, "nurse", "Accept")
    press(one, "hospitali", "Reject")
    expect(row(other, "hospitali").locator("[aria-pressed=true]")).to_have_count(1)
    assert seen(other) == seen(one)
    device.set_offline(False)
    wait_until_sent(one)
    wait_until_sent(other)
    is_same(one, assignment)
    is_same(other, assignment)
    assert Judgement.objects.filter(revision=1).count() == Judgement.objects.count() == 2


def test_an_older_choice_that_arrives_late_does_not_win(new_device):
    assignment = begin(make_project(keywords=2))
    away, here = new_device(), new_device()
    page, other = open_task(away, assignment), open_task(here, assignment)
    away.set_offline(True)
    press(page, "nurse", "Reject")
    press(page, "medicine", "Accept")
    change_devices(page)
    press(other, "nurse", "Accept")
    wait_until_saved(other)
    away.set_offline(False)
    expect(status(page)).to_have_text(STANDS)
    assert is_pressed(page, "nurse", "Accept")
    assert is_pressed(page, "medicine", "Accept")  # only what was chosen twice is told
    is_same(page, assignment)
    assert verdict("nurse") == "accept"
    look_at(page)
    expect(status(page)).to_have_text(STANDS)


def test_a_newer_choice_that_arrives_late_wins(new_device):
    assignment = begin(make_project(keywords=2))
    away, here = new_device(), new_device()
    page, other = open_task(away, assignment), open_task(here, assignment)
    away.set_offline(True)
    press(other, "nurse", "Accept")
    wait_until_saved(other)
    change_devices(page)
    press(page, "nurse", "Reject")
    away.set_offline(False)
    wait_until_saved(page)
    look_at(other)
    assert is_pressed(other, "nurse", "Reject")
    is_same(other, assignment)


def test_an_older_order_that_arrives_late_does_not_win(new_device):
    assignment = begin(make_project(keywords=2, neighbours=3, answer_form="ranking"))
    away, here = new_device(), new_device()
    page = open_task(away, assignment)
    for button in ("Accept", "Accept", "Accept"):  # one word has been changed more than others
        press(page, "nurse", button)
        wait_until_saved(page)
    other = open_task(here, assignment)
    away.set_offline(True)
    press(page, "medicine", "Accept")
    change_devices(page)
    press(other, "medicine", "Reject")
    wait_until_saved(other)
    away.set_offline(False)
    expect(status(page)).to_have_text(STANDS)
    assert is_pressed(page, "medicine", "Reject")
    is_same(page, assignment)
    assert verdict("medicine") == "reject"


# --- Clocks and breaks ---------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_wrong_clock_changes_nothing(new_device, hours):
    assignment = begin(make_project(keywords=2))
    wrong, right = new_device(), new_device()
    wrong.add_init_script(
        f"const now = Date.now; Date.now = () => now() + {hours} * 3_600_000;"
        "const OldDate = Date; Date = class extends OldDate { constructor(...all) {"
        " all.length ? super(...all) : super(OldDate.now()); } };"
    )
    page, other = open_task(wrong, assignment), open_task(right, assignment)
    for who, button in ((page, "Accept"), (other, "Reject"), (page, "Accept")):
        look_at(who)
        press(who, "nurse", button)
        wait_until_sent(who)
    look_at(other)
    assert is_pressed(other, "nurse", "Accept")
    for row_ in Judgement.objects.all():
        assert abs((row_.created_at - row_.chosen_at).total_seconds()) < 5


def letters_of(page, kind):
    """Return the list to which letters of a kind are added as the page sends them."""
    sent = []

    def note(request):
        if request.url.endswith("/answers"):
            letters = json.loads(request.post_data)["letters"]
            sent.extend(one for one in letters if one["kind"] == kind)

    page.on("request", note)
    return sent


def hasten_signs(device):
    """Let a page tell that somebody is at work every 200 ms rather than every 20 s."""

    def quicken(route):
        text = route.fetch().text()
        assert text.count("SIGN_MS = 20_000") == 1
        route.fulfill(
            body=text.replace("SIGN_MS = 20_000", "SIGN_MS = 200"), content_type="text/javascript"
        )

    device.route("**/task.js", quicken)


def test_only_somebody_at_work_gives_signs_of_it(new_device):
    device = new_device()
    hasten_signs(device)
    page = open_task(device, begin(make_project(keywords=2)))
    signs = letters_of(page, "sign")
    page.mouse.move(200, 200)
    page.wait_for_timeout(700)
    assert not signs
    press_keys(page, "j")
    page.wait_for_timeout(700)
    assert len(signs) == 1
    page.get_by_role("button", name="Take a break").click()
    signs.clear()
    press_keys(page, "Tab", "Tab")
    page.wait_for_timeout(500)
    assert not signs
    page.get_by_role("button", name="Go on").click()
    page.wait_for_timeout(700)
    assert len(signs) == 1


def test_a_break_is_not_counted_and_work_is(new_device):
    page = open_task(new_device(), begin(make_project(keywords=2)))

    def worked_s():
        return Session.objects.get().active_seconds

    press(page, "nurse", "Accept")
    wait_until_saved(page)
    page.wait_for_timeout(1_000)
    press(page, "medicine", "Reject")
    wait_until_saved(page)
    before = worked_s()
    assert before >= 1
    with page.expect_response("**/break/"):
        page.get_by_role("button", name="Take a break").click()
    at_the_break = worked_s()
    page.wait_for_timeout(1_500)
    page.get_by_role("button", name="Go on").click()
    press(page, "medicine", "Reject")
    wait_until_saved(page)
    assert worked_s() == at_the_break
    press(page, "medicine", "Reject")
    wait_until_saved(page)
    assert at_the_break < worked_s() < at_the_break + 1
