from django.apps import AppConfig


class ClimeProjectConfig(AppConfig):
    name = "clime_project"
    verbose_name = "CLIME"

    def ready(self) -> None:
        # The web process sends jobs by name through this application; only workers load jobs.py.
        from clime_project import celery  # noqa: F401, PLC0415
