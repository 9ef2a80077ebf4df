"""Read the newest revisions for the home page without sorting all."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("weights", "0023_restricted_checkpoints"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="revision",
            index=models.Index(
                condition=models.Q(("state", "visible")),
                fields=["-visible_at"],
                name="newest_visible_revision",
            ),
        ),
    ]
