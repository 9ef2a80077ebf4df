"""Tiers that publish the commits of the Hub's clients at once."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0033_appeals")]

    operations = [
        migrations.AddField(
            model_name="tier",
            name="publishes_commits",
            field=models.BooleanField(
                "Publish commits at once",
                default=False,
                db_default=False,
                help_text=(
                    "Publish each commit of an owner's client once it is verified, without a draft"
                ),
            ),
        ),
    ]
