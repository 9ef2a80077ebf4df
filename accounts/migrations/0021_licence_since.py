"""When a tier came to stand under its licence, from its history where that tells it."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def read_history(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    changes = apps.get_model("accounts", "TierChange").objects.filter(kind="changed")
    tiers = apps.get_model("accounts", "Tier").objects
    for change in changes.order_by("at", "pk").iterator():
        if any(one.get("field") == "licence" for one in change.fields):
            tiers.filter(pk=change.tier_id).update(licence_since=change.at)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0020_hourly_heads"),
    ]

    operations = [
        migrations.AddField(
            model_name="tier",
            name="licence_since",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.RunPython(read_history, migrations.RunPython.noop),
    ]
