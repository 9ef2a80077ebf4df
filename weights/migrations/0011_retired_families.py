"""Place and retirement of families."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("weights", "0010_measured_facts"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="family",
            options={"ordering": ["position", "name"], "verbose_name_plural": "families"},
        ),
        migrations.AddField(
            model_name="family",
            name="position",
            field=models.PositiveSmallIntegerField(
                default=0,
                db_default=0,
                help_text="The lowest number comes first; equal ones are sorted by name",
                verbose_name="Place in lists",
            ),
        ),
        migrations.AddField(
            model_name="family",
            name="retired_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
