"""Celery's side: a message names a row, one service does it."""

import torch
from celery import shared_task

from clime_project import pipeline
from models_ml import jobs
from tasks import services as tasks_services

# One thread a worker: workers are many, and sums in one order give the same bytes everywhere.
torch.set_num_threads(1)


@shared_task
def run_job(job_id: int) -> None:
    """Do a job, if it is still to be done."""
    jobs.run(job_id, pipeline.HANDLERS)


@shared_task
def sweep() -> None:
    """Give lost jobs to other workers, and end assignments whose time is over."""
    jobs.sweep()
    tasks_services.expire_overdue()
