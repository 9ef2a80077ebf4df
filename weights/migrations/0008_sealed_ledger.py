"""Triggers that refuse to change or delete rows of the ledger, which is sealed with the trail."""

from django.db import migrations

from accounts.audit import append_only
from weights.ledger.recording import PROTECTED


def protect(apps, schema_editor):
    append_only.note_transactions(schema_editor.connection, "weights_download")
    append_only.protect(schema_editor.connection, PROTECTED)


def unprotect(apps, schema_editor):
    append_only.unprotect(schema_editor.connection, PROTECTED)
    append_only.forget_transactions(schema_editor.connection, "weights_download")


class Migration(migrations.Migration):
    dependencies = [
        ("weights", "0007_revision_findings"),
        ("accounts", "0015_sealed_trail"),
    ]

    operations = [migrations.RunPython(protect, unprotect)]
