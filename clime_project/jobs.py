"""Celery's side: a message names a row, one service does it."""

from celery import shared_task

from annotation import services as annotation_services
from models_ml import jobs
from tasks import services as tasks_services
from tasks.crowd import hearing


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


@shared_task
def sync_platforms() -> None:
    """Have the crowd platforms polled, while anything is to be followed there."""
    hearing.look_again()


@shared_task
def hear_platforms() -> None:
    """Have the queue of notifications read, where there is one."""
    hearing.listen_again()
