"""Wording of help texts and choices; nothing in the database changes."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0023_tokens_made_recently_authenticated"),
    ]

    operations = [
        migrations.AlterField(
            model_name="apitoken",
            name="repositories",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Checkpoints that read-gated is limited to; empty for all",
            ),
        ),
        migrations.AlterField(
            model_name="application",
            name="saved_at",
            field=models.DateTimeField(
                default=django.utils.timezone.now, help_text="When answers were last saved"
            ),
        ),
        migrations.AlterField(
            model_name="attachment",
            name="name",
            field=models.CharField(help_text="File name chosen by the applicant", max_length=120),
        ),
        migrations.AlterField(
            model_name="compromisedauditkey",
            name="reason",
            field=models.CharField(help_text="Public", max_length=500),
        ),
        migrations.AlterField(
            model_name="compromisedauditkey",
            name="since",
            field=models.DateTimeField(
                help_text="Time from which others may have signed with the key"
            ),
        ),
        migrations.AlterField(
            model_name="dataexport",
            name="state",
            field=models.CharField(
                choices=[
                    ("queued", "Being created"),
                    ("ready", "Ready"),
                    ("failed", "Could not be created"),
                ],
                default="queued",
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="decision",
            name="internal_note",
            field=models.TextField(blank=True, help_text="Visible only to staff"),
        ),
        migrations.AlterField(
            model_name="decision",
            name="note",
            field=models.TextField(blank=True, help_text="Mailed to the applicant"),
        ),
        migrations.AlterField(
            model_name="grant",
            name="origin",
            field=models.CharField(
                choices=[
                    ("application", "Approved application"),
                    ("click-through", "Licence accepted"),
                    ("break-glass", "Granted by staff"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="licence",
            name="attribution",
            field=models.TextField(
                blank=True, help_text="The notice that the licence requires with every copy"
            ),
        ),
        migrations.AlterField(
            model_name="licenceversion",
            name="is_sample",
            field=models.BooleanField(
                default=False,
                help_text="Draft text shipped with the portal, for the owner to replace",
            ),
        ),
        migrations.AlterField(
            model_name="licenceversion",
            name="notice_days",
            field=models.PositiveSmallIntegerField(
                default=30,
                help_text="Days for which earlier acceptances remain valid; 0 ends them at once",
            ),
        ),
        migrations.AlterField(
            model_name="outgoingmail",
            name="state",
            field=models.CharField(
                choices=[
                    ("queued", "Queued"),
                    ("kept", "Not sent: no mail server is configured"),
                    ("sent", "Sent"),
                    ("failed", "Failed"),
                ],
                default="queued",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="profilelook",
            name="status",
            field=models.PositiveSmallIntegerField(blank=True, help_text="HTTP status", null=True),
        ),
        migrations.AlterField(
            model_name="question",
            name="choices",
            field=models.TextField(
                blank=True, help_text="For single and multiple choice: one choice per line"
            ),
        ),
        migrations.AlterField(
            model_name="question",
            name="is_asked",
            field=models.BooleanField(
                default=True, help_text="Untick this instead of deleting the question"
            ),
        ),
        migrations.AlterField(
            model_name="question",
            name="key",
            field=models.SlugField(
                help_text="Short name, such as funding; cannot be changed later", max_length=40
            ),
        ),
        migrations.AlterField(
            model_name="question",
            name="kind",
            field=models.CharField(
                choices=[
                    ("text", "Text, one line"),
                    ("long_text", "Long text"),
                    ("number", "Number"),
                    ("select", "One choice of several"),
                    ("multi_select", "Any choices of several"),
                    ("tick", "Tick"),
                    ("date", "Date"),
                    ("country", "Country"),
                    ("url", "Web address"),
                    ("file", "PDF document"),
                    ("hardware", "Hardware, one machine per line"),
                ],
                default="text",
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="question",
            name="position",
            field=models.PositiveSmallIntegerField(default=0, help_text="Lower numbers come first"),
        ),
        migrations.AlterField(
            model_name="question",
            name="shown_if_key",
            field=models.CharField(
                blank=True,
                help_text="Key of another question; this one is asked only if that one has the "
                "value below",
                max_length=50,
            ),
        ),
        migrations.AlterField(
            model_name="question",
            name="step",
            field=models.CharField(
                choices=[("you", "You"), ("project", "Project"), ("plan", "Plan")],
                default="project",
                help_text="The step of the form",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="reasontext",
            name="label",
            field=models.CharField(
                help_text="The reason as the applicant reads it", max_length=120
            ),
        ),
        migrations.AlterField(
            model_name="remark",
            name="answer",
            field=models.TextField(blank=True, help_text="The applicant's answer"),
        ),
        migrations.AlterField(
            model_name="remark",
            name="field",
            field=models.CharField(
                blank=True,
                help_text="Key of the question; empty for the application as a whole",
                max_length=60,
            ),
        ),
        migrations.AlterField(
            model_name="tier",
            name="checkpoint_link_hours",
            field=models.PositiveSmallIntegerField(
                default=168, help_text="Hours that mailed checkpoint links are valid, at most 168"
            ),
        ),
        migrations.AlterField(
            model_name="tier",
            name="duo_codes",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Codes of the Data Use Ontology: one permission, and modifiers that "
                "restrict it",
                verbose_name="Terms of use",
            ),
        ),
        migrations.AlterField(
            model_name="tier",
            name="file_link_minutes",
            field=models.PositiveSmallIntegerField(
                default=15, help_text="Minutes that file and storage URLs are valid, at most 60"
            ),
        ),
        migrations.AlterField(
            model_name="tier",
            name="inspected_only",
            field=models.BooleanField(
                default=False,
                help_text="Do not publish revisions with a file whose format cannot be "
                "inspected. What is published already stays",
                verbose_name="Inspected formats only",
            ),
        ),
        migrations.AlterField(
            model_name="tier",
            name="term_days",
            field=models.PositiveIntegerField(default=365, help_text="Days that a grant lasts"),
        ),
        migrations.AlterField(
            model_name="tierchange",
            name="checkpoint",
            field=models.CharField(blank=True, help_text="ORG/NAME", max_length=193),
        ),
        migrations.AlterField(
            model_name="tierchange",
            name="kind",
            field=models.CharField(
                choices=[
                    ("made", "Created"),
                    ("changed", "Changed"),
                    ("licence_text", "New licence text"),
                    ("questions", "Questions changed"),
                    ("checkpoint_in", "Checkpoint added"),
                    ("checkpoint_out", "Checkpoint removed"),
                    ("noted", "State recorded"),
                ],
                max_length=20,
            ),
        ),
    ]
