"""Celery's side: a message names a row, one service does it."""

from celery import shared_task

from annotation import services as annotation_services
from models_ml import jobs
from tasks import services as tasks_services


@shared_task
def run_job(job_id: int) -> None:
    """Do a job, if it is still to be done."""
    from clime_project import pipeline  # noqa: PLC0415 - beat loads this file and needs no torch

    jobs.run(job_id, pipeline.HANDLERS)


@shared_task
def sweep() -> None:
    """Give lost jobs to other workers, end assignments whose time is over, and their sessions."""
    jobs.sweep()
    tasks_services.expire_overdue()
    annotation_services.submit_abandoned_sessions()
