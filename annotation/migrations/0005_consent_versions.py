"""Answers were chosen when they were stored; consent texts become numbered versions."""

from django.db import migrations
from django.db.models import F

OLD_DEFAULT = (
    "Your answers are used to improve a computer program that sorts texts. We store your answers, "
    "when you gave them and how often you looked at example sentences, and nothing else about you. "
    "You may stop at any time."
)


def number_consents(apps, schema_editor):
    """Give each text that somebody agreed to its number, the earliest first."""
    Session = apps.get_model("annotation", "Session")
    ConsentVersion = apps.get_model("tasks", "ConsentVersion")
    agreed = Session.objects.filter(consented_at__isnull=False).order_by("consented_at")
    for session in agreed:
        versions = ConsentVersion.objects.filter(project=session.project_id)
        session.consent, _ = versions.get_or_create(
            project_id=session.project_id,
            consent=session.consent_text,
            privacy="",
            defaults={"number": versions.count() + 1},
        )
        session.save(update_fields=["consent"])


def renew_defaults(apps, schema_editor):
    """Take the new default for projects that had the old one: its second half moved to privacy."""
    Project = apps.get_model("tasks", "Project")
    new = Project._meta.get_field("consent").default
    Project.objects.filter(consent=OLD_DEFAULT).update(consent=new)


def date_choices(apps, schema_editor):
    for name in ("Judgement", "DocumentLabel"):
        apps.get_model("annotation", name).objects.update(chosen_at=F("created_at"))


class Migration(migrations.Migration):
    dependencies = [("annotation", "0004_annotators_hour")]
    operations = [
        migrations.RunPython(step, migrations.RunPython.noop)
        for step in (date_choices, number_consents, renew_defaults)
    ]
