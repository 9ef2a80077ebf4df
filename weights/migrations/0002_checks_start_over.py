"""Checks read a blob in one go: no saved state of SHA-256, no steps, one kind of lease."""

import django.db.models.deletion
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
        # Release 0.1.0 uses the table and the columns while it runs beside this one, and after a
        # rollback. A later release drops them, if they exist. No foreign key is left, so that
        # blobs can be deleted, and defaults fill the columns.
        migrations.AlterField(
            model_name="hashprogress",
            name="blob",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                primary_key=True,
                related_name="hash_progress",
                serialize=False,
                to="weights.blob",
            ),
        ),
        migrations.AlterField(
            model_name="scrubturn",
            name="holder",
            field=models.CharField(blank=True, db_default="", max_length=32),
        ),
        migrations.AlterField(
            model_name="verificationrun",
            name="started_from",
            field=models.BigIntegerField(default=0, db_default=0),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.DeleteModel(name="HashProgress"),
                migrations.RemoveField(model_name="scrubturn", name="holder"),
                migrations.RemoveField(model_name="verificationrun", name="started_from"),
            ]
        ),
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
