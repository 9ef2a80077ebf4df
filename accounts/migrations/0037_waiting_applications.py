"""Read the waiting applications in the order of the review queue."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0036_events_by_actor"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="application",
            index=models.Index(
                condition=models.Q(("status__in", ["submitted", "in_review"])),
                fields=["submitted_at", "id"],
                name="waiting_application",
            ),
        ),
    ]
