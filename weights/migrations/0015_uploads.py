"""Uploads by the Hub's clients, until a commit names their objects."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("weights", "0014_links_shown_once"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Upload",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sha256", models.CharField(max_length=64)),
                ("size", models.BigIntegerField(help_text="Bytes")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("receiving", "Being sent"),
                            ("received", "Sent; its SHA-256 is being computed"),
                            ("complete", "Stored"),
                            ("refused", "Refused"),
                        ],
                        default="receiving",
                        max_length=12,
                    ),
                ),
                (
                    "reason",
                    models.CharField(blank=True, help_text="Why it was refused", max_length=500),
                ),
                ("staging", models.CharField(blank=True, max_length=1024)),
                (
                    "part_size",
                    models.BigIntegerField(default=0, help_text="Bytes of each part but the last"),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "touched_at",
                    models.DateTimeField(db_index=True, default=django.utils.timezone.now),
                ),
                ("completed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "checkpoint",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="uploads",
                        to="weights.checkpoint",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="uploads",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-pk"],
                "indexes": [models.Index(fields=["sha256"], name="upload_by_sha256")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("person", "checkpoint", "sha256"),
                        name="one_upload_per_person_and_object",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("size__gte", 0)), name="an_upload_has_no_negative_size"
                    ),
                ],
            },
        ),
    ]
