"""Searches forgive joiners, as phones' keyboards leave them out: keys stored before are made anew."""

import unicodedata

from django.db import migrations
from django.db.models import Q

JOINERS = ("\u200c", "\u200d")


def drop_joiners(apps, schema_editor):
    Word = apps.get_model("models_ml", "Word")
    holds_one = Q(search_key__contains=JOINERS[0]) | Q(search_key__contains=JOINERS[1])
    words = list(Word.objects.filter(holds_one))
    for word in words:
        kept = (c for c in word.search_key if unicodedata.category(c) != "Cf")
        word.search_key = "".join(kept)
    Word.objects.bulk_update(words, ["search_key"], batch_size=1_000)


class Migration(migrations.Migration):
    dependencies = [("models_ml", "0003_many_annotators")]
    operations = [migrations.RunPython(drop_joiners, migrations.RunPython.noop)]
