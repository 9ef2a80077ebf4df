"""Find private and embargoed checkpoints without reading all of them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0036_events_by_actor"),
        ("weights", "0022_times_of_downloads"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="checkpoint",
            index=models.Index(
                condition=models.Q(
                    ("private", True), ("embargo_until__isnull", False), _connector="OR"
                ),
                fields=["id"],
                name="restricted_checkpoint",
            ),
        ),
    ]
