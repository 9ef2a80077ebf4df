"""Search documents of checkpoints, and the index by which each database searches them."""

import django.db.models.deletion
from django.db import migrations, models

from weights.catalogue.search import postgresql, sqlite


def install_index(apps, schema_editor):
    """Add the column or table by which each database searches; neither belongs to a model."""
    vendor = postgresql if schema_editor.connection.vendor == "postgresql" else sqlite
    vendor.install(schema_editor)


class Migration(migrations.Migration):
    dependencies = [
        ("weights", "0012_quarantine_causes"),
    ]

    operations = [
        migrations.CreateModel(
            name="SearchDocument",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("names", models.TextField(blank=True)),
                ("tags", models.TextField(blank=True)),
                ("body", models.TextField(blank=True)),
                ("logbook", models.TextField(blank=True)),
                ("fingerprint", models.CharField(blank=True, max_length=200)),
                (
                    "checkpoint",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="search_document",
                        to="weights.checkpoint",
                    ),
                ),
            ],
        ),
        migrations.RunPython(install_index, migrations.RunPython.noop),
    ]
