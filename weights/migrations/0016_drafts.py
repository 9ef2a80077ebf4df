"""Revisions that only their owners see."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("weights", "0015_uploads")]

    operations = [
        migrations.AlterField(
            model_name="revision",
            name="state",
            field=models.CharField(
                max_length=12,
                default="pending",
                choices=[
                    ("draft", "Draft: only its owners see it"),
                    ("pending", "Being verified"),
                    ("visible", "Published"),
                    ("failed", "Not published: a file failed its check"),
                    ("withdrawn", "Withdrawn"),
                ],
            ),
        ),
    ]
