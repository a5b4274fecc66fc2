from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotation", "0006_drop_consent_text")]
    operations = [
        migrations.AddField(
            model_name="consensuspair",
            name="strength",
            field=models.FloatField(
                default=1, help_text="mean strength of the votes for what it came to, 0 to 1"
            ),
        )
    ]
