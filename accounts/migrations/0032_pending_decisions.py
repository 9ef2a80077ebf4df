"""A decision waits on the application until it takes effect; its reviewer can undo it meanwhile."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0031_encrypted_secrets"),
    ]

    operations = [
        migrations.AddField(
            model_name="application",
            name="pending_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="application",
            name="pending_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="application",
            name="pending_verdict",
            field=models.JSONField(blank=True, default=dict, db_default={}),
        ),
    ]
