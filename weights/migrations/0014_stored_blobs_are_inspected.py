"""Blobs that were verified before formats were inspected are looked at by the next sweeps."""

from django.db import migrations
from django.utils import timezone


def ask(apps, schema_editor):
    verified = apps.get_model("weights", "Blob").objects.filter(state="verified")
    verified.update(inspect_due_at=timezone.now())


class Migration(migrations.Migration):
    dependencies = [("weights", "0013_inspections")]

    operations = [migrations.RunPython(ask, migrations.RunPython.noop)]
