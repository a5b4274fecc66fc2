from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("annotation", "0005_consent_versions")]
    operations = [migrations.RemoveField(model_name="session", name="consent_text")]
