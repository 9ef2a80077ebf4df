"""The training logbook: entries and curves."""

import uuid

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("weights", "0007_inspections_of_code"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LogbookEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("title", models.CharField(max_length=200)),
                (
                    "source",
                    models.CharField(
                        blank=True, help_text="The document that states this", max_length=300
                    ),
                ),
                (
                    "source_url",
                    models.URLField(blank=True, max_length=500, verbose_name="URL of the source"),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="written"
                    ),
                ),
                (
                    "changed_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now,
                        editable=False,
                        verbose_name="last changed",
                    ),
                ),
                ("date", models.DateField(help_text="The first day, if it lasted longer")),
                (
                    "shown_date",
                    models.CharField(
                        blank=True,
                        help_text="If the day is not known, such as “Week of 25 November 2021”",
                        max_length=80,
                        verbose_name="date as shown",
                    ),
                ),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("hardware", "Hardware"),
                            ("divergence", "Divergence"),
                            ("restart", "Restart"),
                            ("data", "Data"),
                            ("release", "Release"),
                            ("software", "Software"),
                            ("milestone", "Milestone"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "step",
                    models.PositiveBigIntegerField(
                        blank=True,
                        help_text="Links to the branch or tag named step1000 or step-1000, if any",
                        null=True,
                        verbose_name="training step",
                    ),
                ),
                (
                    "text",
                    models.TextField(
                        blank=True,
                        help_text="Markdown",
                        validators=[django.core.validators.MaxLengthValidator(20000)],
                    ),
                ),
                (
                    "changed_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="last changed by",
                    ),
                ),
                (
                    "checkpoint",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="weights.checkpoint",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="written by",
                    ),
                ),
                (
                    "family",
                    models.ForeignKey(
                        blank=True,
                        help_text="Instead of a checkpoint, for the family as a whole",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="weights.family",
                    ),
                ),
            ],
            options={
                "verbose_name": "logbook entry",
                "verbose_name_plural": "logbook entries",
                "ordering": ["date", "pk"],
                "abstract": False,
                "indexes": [models.Index(fields=["date"], name="logbook_entry_by_date")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("checkpoint", None), ("family__isnull", False)),
                            models.Q(("checkpoint__isnull", False), ("family", None)),
                            _connector="OR",
                        ),
                        name="logbookentry_has_one_subject",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LogbookSeries",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("title", models.CharField(max_length=200)),
                (
                    "source",
                    models.CharField(
                        blank=True, help_text="The document that states this", max_length=300
                    ),
                ),
                (
                    "source_url",
                    models.URLField(blank=True, max_length=500, verbose_name="URL of the source"),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="written"
                    ),
                ),
                (
                    "changed_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now,
                        editable=False,
                        verbose_name="last changed",
                    ),
                ),
                (
                    "axis",
                    models.CharField(
                        choices=[("step", "Training step"), ("date", "Date")],
                        max_length=4,
                        verbose_name="horizontal axis",
                    ),
                ),
                (
                    "unit",
                    models.CharField(
                        blank=True, help_text="Of the values, such as “%”", max_length=60
                    ),
                ),
                ("points", models.JSONField(default=list)),
                (
                    "changed_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="last changed by",
                    ),
                ),
                (
                    "checkpoint",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="weights.checkpoint",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="written by",
                    ),
                ),
                (
                    "family",
                    models.ForeignKey(
                        blank=True,
                        help_text="Instead of a checkpoint, for the family as a whole",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="weights.family",
                    ),
                ),
            ],
            options={
                "verbose_name": "logbook curve",
                "verbose_name_plural": "logbook curves",
                "ordering": ["pk"],
                "abstract": False,
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("checkpoint", None), ("family__isnull", False)),
                            models.Q(("checkpoint__isnull", False), ("family", None)),
                            _connector="OR",
                        ),
                        name="logbookseries_has_one_subject",
                    )
                ],
            },
        ),
    ]
