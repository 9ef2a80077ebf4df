"""Reword a help text; no column changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0027_one_confirmed_address")]

    operations = [
        migrations.AlterField(
            model_name="apitoken",
            name="repositories",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Checkpoints that the token is limited to; empty for all",
            ),
        ),
    ]
