"""Checks read a blob in one go: no saved state of SHA-256, no steps, one kind of lease."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def abandon_steps(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """A step that handed on came to no result, and its successor now starts over."""
    runs = apps.get_model("weights", "VerificationRun").objects.using(editor.connection.alias)
    runs.filter(result="handed_on").update(result="abandoned")


class Migration(migrations.Migration):
    dependencies = [("weights", "0001_squashed_0018_inspections_read_to_end")]

    operations = [
        migrations.RunPython(abandon_steps, migrations.RunPython.noop),
        migrations.DeleteModel(name="HashProgress"),
        migrations.RemoveField(model_name="scrubturn", name="holder"),
        migrations.RemoveField(model_name="verificationrun", name="started_from"),
        migrations.AlterField(
            model_name="verificationrun",
            name="result",
            field=models.CharField(
                choices=[
                    ("running", "Running"),
                    ("verified", "Verified"),
                    ("mismatch", "The bytes differ from their name"),
                    ("missing", "The store does not hold it"),
                    ("unreadable", "The store could not be read"),
                    ("abandoned", "The worker stopped"),
                ],
                default="running",
                max_length=12,
            ),
        ),
        migrations.AddIndex(
            model_name="verificationrun",
            index=models.Index(
                condition=models.Q(("result", "abandoned")),
                fields=["blob"],
                name="abandoned_run_by_blob",
            ),
        ),
    ]
