"""Facts counted from the files of revisions."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("weights", "0009_licences_of_open_tiers"),
    ]

    operations = [
        migrations.AddField(
            model_name="filefacts",
            name="version",
            field=models.PositiveIntegerField(default=0, db_default=0),
        ),
        migrations.AlterField(
            model_name="filefacts",
            name="kind",
            field=models.CharField(
                choices=[
                    ("card", "Front matter of a card"),
                    ("config", "Configuration"),
                    ("tensors", "Elements of tensors by dtype"),
                    ("gguf", "Metadata of a GGUF file"),
                ],
                max_length=8,
            ),
        ),
        migrations.CreateModel(
            name="MeasuredFacts",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("counted_from", models.CharField(blank=True, max_length=16)),
                (
                    "formats",
                    models.JSONField(default=list, help_text="Formats of its files of weights"),
                ),
                ("tensor_types", models.JSONField(default=dict, help_text="Elements by dtype")),
                ("parameters", models.BigIntegerField(blank=True, null=True)),
                (
                    "weight_bytes",
                    models.BigIntegerField(default=0, help_text="Bytes of the counted files"),
                ),
                ("architecture", models.JSONField(default=dict)),
                ("version", models.PositiveIntegerField(db_index=True, default=0)),
                ("counted_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "revision",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="measured",
                        to="weights.revision",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "measured facts",
            },
        ),
    ]
