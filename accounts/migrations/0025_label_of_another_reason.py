"""Wording of a choice; nothing in the database changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0024_help_texts_and_choices"),
    ]

    operations = [
        migrations.AlterField(
            model_name="reasontext",
            name="code",
            field=models.CharField(
                choices=[
                    ("identity_unverified", "Your identity could not be verified"),
                    ("affiliation_unverified", "Your affiliation could not be verified"),
                    ("purpose_unclear", "The purpose is not clear enough"),
                    ("plan_insufficient", "The storage and deletion plan is not sufficient"),
                    ("incomplete", "Something is missing"),
                    ("hardware_note", "A note on the hardware"),
                    ("commercial_use", "The licence excludes commercial use"),
                    ("prohibited_use", "The licence prohibits this use"),
                    ("jurisdiction", "The licence excludes your country of work"),
                    ("no_authority", "Your authority to accept for your organisation is unclear"),
                    ("duplicate", "Another application asks for the same"),
                    ("prior_breach", "Earlier terms were broken"),
                    ("leak", "Weights were passed on"),
                    ("spam", "This is not a research application"),
                    ("model_withdrawn", "The model is no longer offered"),
                    ("other", "Another reason, given in the note"),
                    ("unspecified", "No reason was given"),
                ],
                max_length=40,
            ),
        ),
    ]
