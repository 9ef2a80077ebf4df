"""Place, retirement and help texts of tiers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0029_change_requests"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="tier",
            options={"ordering": ["position", "name"]},
        ),
        migrations.AddField(
            model_name="tier",
            name="position",
            field=models.PositiveSmallIntegerField(
                default=0,
                db_default=0,
                help_text="The lowest number comes first; equal ones are sorted by name",
                verbose_name="Place in lists",
            ),
        ),
        migrations.AddField(
            model_name="tier",
            name="retired_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="tier",
            name="mode",
            field=models.CharField(
                choices=[
                    ("open", "Open"),
                    ("click-through", "Click-through"),
                    ("reviewed", "Reviewed"),
                ],
                default="reviewed",
                help_text="A new open tier opens nothing by itself: a move to it takes two people",
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="tierchange",
            name="kind",
            field=models.CharField(
                choices=[
                    ("made", "Created"),
                    ("changed", "Changed"),
                    ("licence_text", "New licence text"),
                    ("questions", "Questions changed"),
                    ("checkpoint_in", "Checkpoint added"),
                    ("checkpoint_out", "Checkpoint removed"),
                    ("retired", "Retired"),
                    ("unretired", "Back in use"),
                    ("noted", "State recorded"),
                ],
                max_length=20,
            ),
        ),
    ]
