"""Signs of carelessness, how far people agree, and the person who decides."""

from dataclasses import asdict
from datetime import timedelta
from itertools import count

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation import services
from annotation.consensus import collect
from annotation.models import Annotator, Consensus, Judgement, Session
from annotation.reporting.agreement import agreement, in_words
from annotation.reporting.quality import care, signals
from models_ml import jobs
from models_ml.core.agreement import Alpha
from models_ml.models import Job
from tasks.models import Control
from tests.factories import make_project, make_session

pytestmark = pytest.mark.django_db

START = timezone.now()


@pytest.fixture(autouse=True)
def unsent(monkeypatch):
    monkeypatch.setattr(jobs, "send", lambda job: None)


@pytest.fixture
def project():
    """25 keywords with two neighbours in each language."""
    return make_project(keywords=25, overlap=50)


def keyword_of(project, position):
    return project.ranking.keywords.get(position=position)


def words_of(project, position):
    return [n.word for n in keyword_of(project, position).neighbours.order_by("id")]


def say(session, keyword, word, verdict, *, after_s=5.0, **fields):
    """Let a session say something, so many seconds after what it said before."""
    last = session.judgements.order_by("id").last()
    moment = (last.chosen_at if last else START) + timedelta(seconds=after_s)
    return session.judgements.create(
        keyword=keyword, word=word, verdict=verdict, chosen_at=moment, **{"revision": 1} | fields
    )


def answer(session, positions, verdicts, **how):
    """Answer keywords' neighbours, the verdicts taken in turn."""
    turn = count()
    for position in positions:
        for word in words_of(session.project, position):
            verdict = verdicts[next(turn) % len(verdicts)]
            say(session, keyword_of(session.project, position), word, verdict, **how)


def kinds(session):
    return [sign.kind for sign in signals([session])[session.pk]]


def evidence(session):
    (sign,) = signals([session])[session.pk]
    return sign.evidence


def careful(project, worker_id="amina"):
    """Return a session that gives no cause for concern yet."""
    session = make_session(project, worker_id)
    Session.objects.filter(pk=session.pk).update(contexts_opened=4)
    return Session.objects.select_related("project").get(pk=session.pk)


# --- Signs -----------------------------------------------------------------------------------


def test_a_careful_session_shows_no_sign(project):
    session = careful(project)
    answer(session, range(1, 26), ["accept", "reject", "accept"])
    assert kinds(session) == []


def test_quick_answers_are_a_sign_and_pauses_do_not_hide_it(project):
    session = careful(project)
    answer(session, [1, 2, 3], ["accept", "reject"], after_s=0.5)
    answer(session, range(4, 10), ["accept", "reject"], after_s=61)
    assert kinds(session) == ["speed"]
    assert evidence(session) == (
        "Half of 11 answers came within 0.5 seconds of the one before; "
        "a careful answer is taken to need 0.8 seconds."
    )


def test_words_answered_by_one_press_are_no_quick_answers(project):
    session = careful(project)
    for position in range(1, 13):  # one word chosen with care, then “reject the rest”
        keyword, (first, *rest) = keyword_of(project, position), words_of(project, position)
        say(session, keyword, first, "accept", after_s=4)
        for place, word in enumerate(rest):
            say(session, keyword, word, "reject", after_s=0.01 if place else 3)
    assert kinds(session) == []


def test_one_press_a_keyword_is_quick_where_keywords_fly_past(project):
    session = careful(project)
    for position in range(1, 12):
        for place, word in enumerate(words_of(project, position)):
            verdict = ["accept", "reject"][place % 2]
            after_s = 0 if place else 0.04
            say(session, keyword_of(project, position), word, verdict, after_s=after_s)
    assert kinds(session) == ["speed"]
    assert "Half of 10 answers came within 0.04 seconds" in evidence(session)


def test_answers_of_work_without_a_connection_count_by_when_they_were_chosen(project):
    session = careful(project)
    answer(session, range(1, 8), ["accept", "reject"], after_s=6)
    Judgement.objects.update(created_at=START + timedelta(hours=2))  # all sent together
    assert kinds(session) == []


def test_answers_that_arrive_out_of_order_are_put_in_the_order_of_choice(project):
    session = careful(project)
    keywords = [keyword_of(project, position) for position in range(1, 26)]
    for turn, place in ((1, 0), (0, 1)):  # the later half of the choices arrives first
        for number, keyword in enumerate(keywords):
            session.judgements.create(
                keyword=keyword,
                word=words_of(project, keyword.position)[place],
                verdict=["accept", "reject"][number % 2],
                revision=1,
                chosen_at=START + timedelta(seconds=200 * turn + 6 * number),
            )
    assert kinds(session) == []


def test_what_is_quick_is_the_projects_to_say(project):
    session = careful(project)
    answer(session, [1, 2, 3], ["accept", "reject"], after_s=0.5)
    type(project).objects.update(fastest_answer_s=0.5)
    assert kinds(session) == []


def test_nine_answers_are_too_few_for_a_pace(project):
    session = careful(project)
    answer(session, [1, 2], ["accept", "reject"], after_s=0.1)
    say(session, keyword_of(project, 3), words_of(project, 3)[0], "accept", after_s=0.1)
    assert kinds(session) == []
    say(session, keyword_of(project, 3), words_of(project, 3)[1], "accept", after_s=0.1)
    assert kinds(session) == ["speed"]


def test_a_change_of_mind_is_no_quick_answer(project):
    session = careful(project)
    answer(session, [1, 2, 3], ["accept", "reject"])
    first = session.judgements.order_by("id").first()
    for revision in range(2, 40):
        session.judgements.filter(keyword=first.keyword, word=first.word).update(is_current=False)
        say(session, first.keyword, first.word, "accept", after_s=0.1, revision=revision)
    assert kinds(session) == []


@pytest.mark.parametrize("verdict", ["accept", "reject"])
def test_one_answer_for_nearly_all_is_a_sign(project, verdict):
    session = careful(project)
    other = {"accept": "reject", "reject": "accept"}[verdict]
    answer(session, range(1, 10), [verdict])
    answer(session, [10], [verdict, verdict, other, other])
    assert kinds(session) == ["same_answer"]  # 38 of 40 are 95 %
    assert evidence(session) == f"38 of 40 decided words were {verdict}ed."


def test_less_than_nearly_all_is_none(project):
    session = careful(project)
    answer(session, range(1, 10), ["accept"])
    answer(session, [10], ["accept", "reject", "reject", "reject"])  # 37 of 40
    assert kinds(session) == []


def test_29_of_one_answer_are_too_few(project):
    session = careful(project)
    answer(session, range(1, 8), ["accept"])
    answer(session, [8], ["accept", "leave", "leave", "leave"])
    assert kinds(session) == []


def test_controls_and_added_words_are_no_habit(project):
    session = careful(project)
    answer(session, range(1, 8), ["accept"])
    far = project.embedding.target.words.order_by("row").last()
    say(session, keyword_of(project, 1), far, "accept", is_control=True)
    say(session, keyword_of(project, 2), far, "accept", is_added=True)
    assert kinds(session) == []  # 28 of what was shown, of 30
    answer(session, [8], ["accept", "accept", "leave", "leave"])
    assert kinds(session) == ["same_answer"]


def test_a_pair_judged_both_ways_is_a_contradiction_whichever_was_the_keyword(project):
    session = careful(project)
    for position in (1, 3):  # two keywords each, of which the second is the first's neighbour
        first, second = keyword_of(project, position), keyword_of(project, position + 1)
        say(session, first, second.word, "accept")
        say(session, second, first.word, "reject")
    assert kinds(session) == ["contradictions"]
    assert evidence(session) == (
        "2 of 2 pairs of words that were judged more than once were both accepted and rejected: "
        "hospital – nurse, medicine – fever."
    )


def test_one_contradiction_is_a_slip(project):
    session = careful(project)
    first, second = keyword_of(project, 1), keyword_of(project, 2)
    say(session, first, second.word, "accept")
    say(session, second, first.word, "reject")
    assert kinds(session) == []


def test_contradictions_are_looked_for_in_all_sessions_of_a_person_and_no_other(project):
    first, other = careful(project), careful(project, "baraka")
    again = Session.objects.create(
        project=project, annotator=first.annotator, number=2, contexts_opened=1
    )
    answer(first, [1], ["accept"])
    answer(again, [1], ["reject"])
    answer(other, [1], ["reject"])
    found = signals([first, again, other])
    assert [s.kind for s in found[first.pk]] == [s.kind for s in found[again.pk]]
    assert [s.kind for s in found[first.pk]] == ["contradictions"]
    assert found[other.pk] == ()


def test_many_keywords_without_a_look_at_a_sentence_are_a_sign(project):
    session = careful(project)
    Session.objects.update(contexts_opened=0)
    answer(session, range(1, 20), ["accept", "reject"])
    assert kinds(session) == []  # of 19 keywords
    answer(session, [20], ["accept", "reject"])
    assert kinds(session) == ["no_context"]
    Session.objects.update(contexts_opened=1)
    assert kinds(session) == []


def control(project, position, kind):
    """Put the last target word beside a keyword as a control."""
    word = project.embedding.target.words.order_by("row").last()
    keyword = keyword_of(project, position)
    return Control.objects.create(
        project=project, keyword=keyword, word=word, kind=kind, position=1
    )


def test_wrong_controls_are_a_sign_from_two_on_and_above_a_quarter(project):
    session = careful(project)
    placed = [control(project, n, "random" if n < 3 else "translation") for n in range(1, 9)]
    for one in placed[:2]:
        say(session, one.keyword, one.word, "accept", is_control=True)
    for one in placed[2:7]:
        say(session, one.keyword, one.word, "accept", is_control=True)
    assert kinds(session) == ["controls"]  # 2 of 7
    last = placed[0].word.text
    assert evidence(session) == (
        "2 of 7 control words were answered wrongly: "
        f"hospital – {last} was accepted, nurse – {last} was accepted."
    )
    say(session, placed[7].keyword, placed[7].word, "accept", is_control=True)
    assert kinds(session) == []  # 2 of 8 are no more than a quarter


def test_one_wrong_control_is_none(project):
    session = careful(project)
    one = control(project, 1, "identical")
    say(session, one.keyword, one.word, "reject", is_control=True)
    assert kinds(session) == []


def test_signs_take_as_many_queries_for_many_sessions_as_for_one(project):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            care(project.sessions.all())
        return len(captured)

    answer(careful(project), range(1, 11), ["accept"])
    before = queries()
    for n in range(4):
        answer(careful(project, f"person-{n}"), range(1, 11), ["accept"])
    assert queries() == before


# --- Agreement -------------------------------------------------------------------------------


def test_alpha_of_four_units_is_that_worked_by_hand(project):
    """Of 4 pairs 3 agree: o = 2/8, e = (2·5·3)/(8·7) = 15/28, so α = 1 - (1/4)(28/15) = 8/15."""
    answer(careful(project), [1], ["accept", "accept", "reject", "accept"])
    answer(careful(project, "baraka"), [1], ["accept", "accept", "reject", "reject"])
    found = agreement(project)
    assert found.overall.value == pytest.approx(8 / 15)
    assert (found.overall.units, found.overall.pairable) == (4, 8)
    assert found.overall.low <= 8 / 15 <= found.overall.high
    english, swahili = found.by_language
    assert (english.name, swahili.name) == ("English", "Swahili")
    assert english.alpha.value is None  # all accepted: nothing could disagree
    assert swahili.alpha.value == pytest.approx(0.0)  # reject–reject and accept–reject
    amina, baraka = found.people
    assert amina.with_others == (None, 0.75)
    assert baraka.shared == (4, 4)
    assert amina.with_consensus is None


def test_keywords_on_which_people_agree_least_come_first(project):
    answer(careful(project), [1, 2, 3], ["accept", "reject"])
    other = careful(project, "baraka")
    answer(other, [1], ["accept", "reject"])
    answer(other, [2], ["reject", "accept"])
    assert [(k.name, k.alpha.value) for k in agreement(project).by_keyword] == [
        ("nurse", pytest.approx(-0.75)),
        ("hospital", 1.0),
        ("medicine", None),
    ]


def test_controls_undecided_and_excluded_answers_do_not_count(project):
    for name, verdict in (("amina", "accept"), ("baraka", "reject")):
        session = careful(project, name)
        one = words_of(project, 1)
        say(session, keyword_of(project, 1), one[0], "leave")
        say(session, keyword_of(project, 1), one[1], verdict, is_control=True)
    third = careful(project, "chiku")
    answer(third, [1], ["accept"])
    assert agreement(project).overall.units == 0
    answer(careful(project, "daudi"), [1], ["reject"])
    assert agreement(project).overall.units == 4
    Session.objects.filter(pk=third.pk).update(excluded_at=timezone.now())
    assert agreement(project).overall.units == 0


def test_a_person_counts_once_by_their_latest_session(project):
    first = careful(project)
    again = Session.objects.create(
        project=project,
        annotator=first.annotator,
        number=2,
        state="submitted",
        submitted_at=timezone.now(),
    )
    answer(first, [1], ["reject"])
    answer(again, [1], ["accept", "reject"])
    answer(careful(project, "baraka"), [1], ["accept", "reject"])
    found = agreement(project)
    assert found.overall.value == 1.0
    assert [person.votes for person in found.people] == [4, 4]


def test_agreement_with_the_consensus_is_that_of_its_members(project):
    answer(careful(project), [1], ["accept"])
    held = Consensus.objects.create(project=project, method="one_coin")
    held.members.create(annotator=Annotator.objects.get(), votes=4, reliability=0.9, agreement=0.75)
    (person,) = agreement(project).people
    assert person.with_consensus == 0.75


def test_agreement_of_nobody_is_undefined_and_can_be_written_as_json(project):
    found = agreement(project)
    assert found.overall == Alpha(None, None, None, 0, 0)
    assert "Nothing can be said yet" in found.reading
    assert asdict(found)["people"] == ()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.8, "agree well"),
        (0.7, "fairly well"),
        (0.4, "often differ"),
        (0.0, "hardly more than by chance"),
        (-0.3, "contradict one another"),
    ],
)
def test_alpha_is_read_in_plain_words(value, words):
    assert words in in_words(Alpha(value, None, None, 2, 4))


def test_agreement_takes_as_many_queries_for_many_people_as_for_two(project):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            agreement(project)
        return len(captured)

    for name in ("amina", "baraka"):
        answer(careful(project, name), [1, 2], ["accept", "reject"])
    before = queries()
    for n in range(3):
        answer(careful(project, f"person-{n}"), [3, 4, 5], ["accept", "reject"])
    assert queries() == before


# --- A person decides ------------------------------------------------------------------------


def user(client, *codenames):
    who = User.objects.create_user("looker" if not codenames else "manager", is_staff=True)
    who.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(who)
    return who


def press(client, session, what, **form):
    return client.post(f"/reports/sessions/{session.pk}/{what}/", form)


def test_a_session_is_left_out_and_taken_back(client, project):
    manager = user(client, "view_session", "change_session")
    session = careful(project)
    answer(session, [1], ["accept"])
    assert press(client, session, "exclude")["Location"] == f"/reports/projects/{project.slug}/"
    session.refresh_from_db()
    assert session.excluded_by == manager
    assert session.excluded_at is not None
    assert collect(project).annotators == ()
    assert Job.objects.get().kind == "refresh_consensus"
    page = client.get(f"/reports/sessions/{session.pk}/").content.decode()
    assert "by manager" in page
    assert "Take back" in page
    answer_ = press(client, session, "include", back="session")
    assert answer_["Location"] == f"/reports/sessions/{session.pk}/"
    session.refresh_from_db()
    assert (session.excluded_by, session.excluded_at) == (None, None)
    assert len(collect(project).annotators) == 1


def test_the_second_press_changes_nothing_and_queues_nothing(project):
    first, second = (User.objects.create_user(name) for name in ("first", "second"))
    session = careful(project)
    assert services.exclude_session(session, by=first)
    Job.objects.all().delete()
    assert not services.exclude_session(session, by=second)
    session.refresh_from_db()
    assert session.excluded_by == first
    assert services.include_session(session)
    Job.objects.all().delete()
    assert not services.include_session(session)
    assert not Job.objects.exists()


@pytest.mark.parametrize("what", ["exclude", "include"])
def test_who_may_only_look_cannot_decide(client, project, what):
    user(client)
    session = careful(project)
    if what == "include":
        Session.objects.update(excluded_at=timezone.now())
    before = Session.objects.get().excluded_at
    assert press(client, session, what).status_code == 403
    assert Session.objects.get().excluded_at == before
    page = client.get(f"/reports/projects/{project.slug}/").content.decode()
    assert "<form" not in page


def test_strangers_mere_looks_and_forged_forms_change_nothing(client, project):
    session = careful(project)
    assert press(client, session, "exclude")["Location"].startswith("/admin/login/")
    manager = user(client, "change_session")
    assert client.get(f"/reports/sessions/{session.pk}/exclude/").status_code == 405
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(manager)
    assert press(forged, session, "exclude").status_code == 403
    assert Session.objects.get().excluded_at is None


def test_the_admins_list_leaves_out_takes_back_and_filters(client, project):
    client.force_login(User.objects.create_superuser("manager"))
    rows = [careful(project), careful(project, "baraka")]
    listed = "/admin/annotation/session/"
    form = {"action": "leave_out", "_selected_action": [row.pk for row in rows]}
    page = client.post(listed, form, follow=True)
    assert "2 sessions left out of the consensus." in page.content.decode()
    assert client.get(listed, {"excluded_at__isempty": 0}).context["cl"].result_count == 2
    form = {"action": "take_back", "_selected_action": [rows[0].pk]}
    page = client.post(listed, form, follow=True)
    assert "1 session taken back into the consensus." in page.content.decode()
    assert client.get(listed, {"excluded_at__isempty": 1}).context["cl"].result_count == 1


def test_the_pages_show_agreement_and_evidence_as_text(client):
    hostile = "<b>nurse</b>"
    project = make_project(source_words=["hospital", hostile, "fever"], overlap=9)
    user(client, "change_session")
    for name, verdicts in (("amina", ["accept", "reject"]), (hostile, ["reject", "accept"])):
        session = careful(project, name)
        for position in (1, 2):
            first, second = keyword_of(project, position), keyword_of(project, position + 1)
            say(session, first, second.word, verdicts[0])
            say(session, second, first.word, verdicts[1])
    page = client.get(f"/reports/projects/{project.slug}/").content.decode()
    assert "People contradict one another" in page
    assert "Krippendorff" in page
    assert "Contradicts their own answers" in page
    assert hostile not in page
    assert "hospital – &lt;b&gt;nurse" in page
    assert page.count("Exclude") >= 2
