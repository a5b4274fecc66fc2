"""The loop without a broker: what a worker would do, and what a person answers."""

from django.utils import timezone

from annotation.models import Annotator, Session
from clime_project import pipeline
from models_ml import jobs
from models_ml.models import Job, JobState
from tasks import services as tasks_services
from tasks.models import Assignment


def quiet(note, done, total):
    pass


def do_all_jobs(*, but=()):
    """Do what is queued, and what that queues, as workers would; delays are over at once."""
    while job := Job.objects.active().exclude(kind__in=but).order_by("id").first():
        assert jobs.run(job.pk, pipeline.HANDLERS)
        job.refresh_from_db()
        assert (job.state, job.error) == (JobState.DONE, "")


def begin(project, worker_id="amina", number=1):
    """Return a person's open session."""
    if number == 1:
        tasks_services.make_links(project, [worker_id])
    annotator, _ = Annotator.objects.get_or_create(platform="direct", worker_id=worker_id)
    return Session.objects.create(
        project=project, annotator=annotator, number=number, consented_at=timezone.now()
    )


def assignments_of(session):
    return Assignment.objects.filter(
        hit__project=session.project,
        hit__session_number=session.number,
        worker_id=session.annotator.worker_id,
    ).order_by("id")


def judge(session, verdict=lambda keyword, word: "accept", *, minutes=10):
    """Answer every word of a session by a rule, and label its documents truly."""
    for assignment in assignments_of(session):
        for item in assignment.hit.items.all():
            if item.keyword:
                for word in session.words_beside(item.keyword):
                    session.judgements.create(
                        keyword=item.keyword,
                        word=word,
                        verdict=verdict(item.keyword.word.text, word.text),
                        revision=1,
                    )
            else:
                session.document_labels.create(
                    document=item.document, label=item.document.label, revision=1
                )
    Session.objects.filter(pk=session.pk).update(active_seconds=60 * minutes)


def submit(session):
    """Submit a session whose HIT was one batch."""
    for assignment in assignments_of(session):
        tasks_services.submit(assignment)
    Session.objects.filter(pk=session.pk).update(state="submitted", submitted_at=timezone.now())
    session.refresh_from_db()
    jobs.enqueue("process_session", session.pk)
    return session
