"""The lease of the worker that computes the hash of an upload."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("weights", "0016_drafts"),
    ]

    operations = [
        migrations.AddField(
            model_name="upload",
            name="attempts",
            field=models.PositiveSmallIntegerField(default=0, help_text="Starts of that work"),
        ),
        migrations.AddField(
            model_name="upload",
            name="leased_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
