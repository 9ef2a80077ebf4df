"""Record the token or session that requested a checkpoint link."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_squashed_0022_failed_items"),
        ("weights", "0004_licences_of_checkpoints"),
    ]

    operations = [
        migrations.AddField(
            model_name="checkpointlink",
            name="session_key",
            field=models.CharField(
                blank=True, default="", db_default="", editable=False, max_length=40
            ),
        ),
        migrations.AddField(
            model_name="checkpointlink",
            name="token",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="accounts.apitoken",
            ),
        ),
    ]
