"""Requested overrides become change requests; only granted ones stay in their table."""

from datetime import timedelta

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.utils import timezone


def move_pending(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """A request expires seven days from now; one without its requester is dropped."""
    alias = editor.connection.alias
    overrides = apps.get_model("weights", "InspectionOverride").objects.using(alias)
    requests = apps.get_model("accounts", "ChangeRequest").objects.using(alias)
    tiers = apps.get_model("accounts", "Tier").objects.using(alias)
    pending = overrides.filter(granted_at=None)
    for override in pending.exclude(asked_by=None).select_related("inspection"):
        blob = override.inspection.blob_id
        used_in = list(tiers.filter(checkpoints__revisions__files__blob=blob).distinct())
        request = requests.create(
            act="inspection.override",
            all_tiers=not used_in,
            object_kind="inspection",
            object_id=str(override.inspection_id),
            parameters={"refusal": override.refusal},
            requester_id=override.asked_by_id,
            reason=override.asked_why,
            created_at=override.asked_at,
            expires_at=timezone.now() + timedelta(days=7),
        )
        request.tiers.set(used_in)
    pending.delete()


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0029_change_requests"),
        ("weights", "0005_link_credentials"),
    ]

    operations = [migrations.RunPython(move_pending, migrations.RunPython.noop)]
