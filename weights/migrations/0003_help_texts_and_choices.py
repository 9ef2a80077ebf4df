"""Wording of help texts and choices; nothing in the database changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("weights", "0002_checks_start_over"),
    ]

    operations = [
        migrations.AlterField(
            model_name="checkpoint",
            name="synthetic",
            field=models.BooleanField(
                default=False, help_text="Random weights; every page says so"
            ),
        ),
        migrations.AlterField(
            model_name="checkpointlink",
            name="cause",
            field=models.CharField(
                choices=[
                    ("approval", "Approved application"),
                    ("request", "Requested by its holder"),
                    ("command", "Created by command"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="file",
            name="md5",
            field=models.CharField(
                blank=True, help_text="If the publisher lists one", max_length=32
            ),
        ),
        migrations.AlterField(
            model_name="inspection",
            name="family",
            field=models.CharField(
                help_text="Family of names, which determines how loaders read the file",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="inspection",
            name="imports",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Names that its pickles import when they are loaded",
            ),
        ),
        migrations.AlterField(
            model_name="inspection",
            name="read_to_end",
            field=models.BooleanField(
                default=False,
                help_text="True if everything that a loader runs was read, so that `imports` is "
                "complete",
            ),
        ),
        migrations.AlterField(
            model_name="knownissue",
            name="path",
            field=models.CharField(
                blank=True, help_text="The file that the issue concerns", max_length=1024
            ),
        ),
        migrations.AlterField(
            model_name="manifestkey",
            name="compromised_at",
            field=models.DateTimeField(
                blank=True, help_text="When it was marked as compromised", null=True
            ),
        ),
        migrations.AlterField(
            model_name="manifestkey",
            name="compromised_from",
            field=models.DateTimeField(
                blank=True,
                help_text="Time from which others may have had the key; empty for its first use",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="manifestkey",
            name="key_id",
            field=models.CharField(
                help_text="First characters of the fingerprint", max_length=16, unique=True
            ),
        ),
        migrations.AlterField(
            model_name="manifestkey",
            name="reason",
            field=models.CharField(blank=True, help_text="Why the key was retired", max_length=500),
        ),
        migrations.AlterField(
            model_name="publishedmanifest",
            name="sha256",
            field=models.CharField(help_text="SHA-256 of the text in UTF-8", max_length=64),
        ),
        migrations.AlterField(
            model_name="recall",
            name="cause",
            field=models.CharField(
                choices=[
                    ("check", "A check found that the stored bytes had changed"),
                    ("owner", "Recalled by its publisher"),
                    ("withdrawal", "Revision withdrawn by its publisher"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="recall",
            name="reason",
            field=models.CharField(help_text="Public", max_length=500),
        ),
        migrations.AlterField(
            model_name="report",
            name="state",
            field=models.CharField(
                choices=[
                    ("new", "New"),
                    ("triaged", "Under investigation"),
                    ("acted", "Action taken"),
                    ("dismissed", "Closed without action"),
                ],
                default="new",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="reportentry",
            name="deed",
            field=models.CharField(
                choices=[
                    ("assigned", "Assigned"),
                    ("noted", "Internal note"),
                    ("suspended", "Suspended a grant"),
                    ("issue", "Published a known issue"),
                    ("finding", "Published a finding"),
                    ("recall", "Requested a recall"),
                    ("dismissed", "Closed without action"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="storefinding",
            name="key",
            field=models.CharField(help_text="Key in the store", max_length=1024),
        ),
        migrations.AlterField(
            model_name="storefinding",
            name="kind",
            field=models.CharField(
                choices=[
                    ("missing", "Not in the store"),
                    ("orphaned", "Not named by any blob"),
                    ("overlaid", "A newer version or a deletion is above the served version"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="storesurvey",
            name="changed",
            field=models.PositiveIntegerField(
                default=0, help_text="Blobs that were written to since their verification"
            ),
        ),
        migrations.AlterField(
            model_name="storesurvey",
            name="missing",
            field=models.PositiveIntegerField(
                default=0, help_text="Blobs that are not in the store"
            ),
        ),
        migrations.AlterField(
            model_name="storesurvey",
            name="overlaid",
            field=models.PositiveIntegerField(
                default=0,
                help_text="Blobs whose verified version has a newer version or a deletion above it",
            ),
        ),
        migrations.AlterField(
            model_name="verificationrun",
            name="result",
            field=models.CharField(
                choices=[
                    ("running", "Running"),
                    ("verified", "Verified"),
                    ("mismatch", "The bytes differ from their SHA-256"),
                    ("missing", "Not in the store"),
                    ("unreadable", "The store could not be read"),
                    ("abandoned", "The worker stopped"),
                ],
                default="running",
                max_length=12,
            ),
        ),
    ]
