"""Seals of the trail, and triggers that refuse to change or delete its rows."""

from django.db import migrations, models

from accounts.audit import append_only


def protect(apps, schema_editor):
    append_only.note_transactions(schema_editor.connection, "accounts_auditevent")
    append_only.protect(schema_editor.connection, append_only.TRAIL)


def unprotect(apps, schema_editor):
    append_only.unprotect(schema_editor.connection, append_only.TRAIL)
    append_only.forget_transactions(schema_editor.connection, "accounts_auditevent")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0014_history_begins"),
    ]

    operations = [
        migrations.CreateModel(
            name="SealedNode",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("hash", models.BinaryField(max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name="SealBatch",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("sealed_at", models.DateTimeField()),
                ("start", models.BigIntegerField()),
                ("size", models.BigIntegerField()),
                ("root", models.BinaryField(max_length=32)),
                ("edge", models.BinaryField()),
                ("horizon", models.BigIntegerField(default=0)),
                ("origin", models.CharField(blank=True, max_length=40)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("start",), name="one_batch_follows_another"),
                    models.UniqueConstraint(fields=("size",), name="each_batch_ends_elsewhere"),
                    models.CheckConstraint(
                        condition=models.Q(("size__gt", models.F("start"))), name="a_batch_has_rows"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SealedRow",
            fields=[
                ("index", models.BigIntegerField(primary_key=True, serialize=False)),
                ("log", models.SmallIntegerField()),
                ("row_id", models.BigIntegerField()),
                ("hash", models.BinaryField(max_length=32)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("log", "row_id"), name="each_row_is_sealed_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SignedHead",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("signed_at", models.DateTimeField()),
                ("size", models.BigIntegerField()),
                ("root", models.BinaryField(max_length=32)),
                ("vkey", models.CharField(max_length=400)),
                ("note", models.TextField()),
            ],
            options={
                "ordering": ["-size", "-pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("size", "vkey"), name="a_key_signs_a_size_once")
                ],
            },
        ),
        migrations.RunPython(protect, unprotect),
    ]
