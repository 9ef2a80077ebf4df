"""Checkpoints of an open tier with a licence of its own choice get that licence.

Open tiers have none any more. The shipped tier `open` is left to the catalogue's next load, which
knows the OPT checkpoints in it.
"""

from django.db import migrations
from django.db.models import Q


def move_to_checkpoints(apps, schema_editor):
    checkpoints = apps.get_model("weights", "Checkpoint").objects
    stating = apps.get_model("weights", "Revision").objects.exclude(licence={})
    tiers = apps.get_model("accounts", "Tier").objects.filter(mode="open")
    for tier in tiers.exclude(licence=None).exclude(Q(slug="open") & Q(licence__slug="opt-175b")):
        silent = checkpoints.filter(tier=tier, licence=None, licence_code="")
        silent.exclude(revisions__in=stating).update(licence=tier.licence_id)


class Migration(migrations.Migration):
    dependencies = [("weights", "0008_logbook")]

    operations = [migrations.RunPython(move_to_checkpoints, migrations.RunPython.noop)]
