"""Tiers that are older than their history begin it with what they are now."""

from django.db import migrations

_FIELDS = [
    ("mode", "Access"),
    ("duo_codes", "Terms of use"),
    ("approvals_needed", "Approvals needed"),
    ("term_days", "Days a grant lasts"),
]


def begin(apps, schema_editor):
    change = apps.get_model("accounts", "TierChange")
    for tier in apps.get_model("accounts", "Tier").objects.all():
        fields = [
            {"field": field, "label": label, "before": "", "after": _shown(getattr(tier, field))}
            for field, label in _FIELDS
        ]
        change.objects.create(tier=tier, kind="noted", fields=fields, by_role="The portal's set-up")


def forget(apps, schema_editor):
    apps.get_model("accounts", "TierChange").objects.filter(kind="noted").delete()


def _shown(value):
    return ", ".join(value) if isinstance(value, list) else str(value)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0013_tier_history")]

    operations = [migrations.RunPython(begin, forget)]
