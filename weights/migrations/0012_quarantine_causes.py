"""Why each quarantined blob is in quarantine."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def name_causes(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Fill the causes: staff set `held`; inspection refuses bytes that matched their SHA-256."""
    alias = editor.connection.alias
    blobs = apps.get_model("weights", "Blob").objects.using(alias).filter(state="quarantined")
    runs = apps.get_model("weights", "VerificationRun").objects.using(alias)
    newest = runs.filter(blob=models.OuterRef("pk"), result__in=["verified", "mismatch", "missing"])
    newest = newest.order_by("-finished_at", "-pk").values("result")[:1]
    found = list(blobs.annotate(newest=models.Subquery(newest)).values_list("pk", "newest"))
    intact = [pk for pk, result in found if result == "verified"]
    blobs.update(quarantine_cause="damaged")
    blobs.filter(pk__in=intact).update(quarantine_cause="refused")
    blobs.filter(held=True).update(quarantine_cause="manual")


class Migration(migrations.Migration):
    dependencies = [("weights", "0011_retired_families")]

    operations = [
        migrations.AddField(
            model_name="blob",
            name="quarantine_cause",
            field=models.CharField(
                blank=True,
                choices=[
                    ("damaged", "Damaged bytes"),
                    ("refused", "Refused by inspection"),
                    ("manual", "Quarantined by its owner"),
                ],
                db_default="",
                editable=False,
                max_length=8,
            ),
        ),
        migrations.RunPython(name_causes, migrations.RunPython.noop),
    ]
