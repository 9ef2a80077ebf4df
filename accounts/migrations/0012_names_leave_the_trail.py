"""Keep no name in the trail, and make room for erasure and exports."""

import uuid

import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

#: The details that held a username, by action.
NAMED = {
    "application.assign": "to",
    "application.ask": "colleague",
    "application.remind": "claimer",
}


def take_names_out(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Names become public ids; why somebody withdrew goes to the application."""
    events = apps.get_model("accounts", "AuditEvent").objects
    people = apps.get_model("accounts", "User").objects
    ids = {one.username: str(one.public_id) for one in people.only("username", "public_id")}
    for event in events.filter(action__in=NAMED).iterator():
        key = NAMED[event.action]
        if event.details.get(key) in ids:
            event.details[key] = ids[event.details[key]]
            event.save(update_fields=["details"])
    applications = apps.get_model("accounts", "Application").objects
    for event in events.filter(action="application.withdraw").iterator():
        if reason := event.details.pop("reason", ""):
            applications.filter(public_id=event.object_id).update(withdrawn_because=reason)
            event.save(update_fields=["details"])


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0011_told_licence_versions"),
    ]

    operations = [
        migrations.RemoveField(
            model_name="auditevent",
            name="actor_name",
        ),
        migrations.AddField(
            model_name="application",
            name="reduced_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="application",
            name="withdrawn_because",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="user",
            name="erased_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name="HolderRecord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("full_name", models.CharField(max_length=200)),
                ("email", models.EmailField(blank=True, max_length=254)),
                ("organisation", models.CharField(blank=True, max_length=200)),
                ("keep_until", models.DateField()),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="holder_record",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DataExport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Being made"),
                            ("ready", "Ready"),
                            ("failed", "Could not be made"),
                        ],
                        default="queued",
                        max_length=8,
                    ),
                ),
                ("asked_at", models.DateTimeField(auto_now_add=True)),
                ("made_at", models.DateTimeField(blank=True, null=True)),
                ("size", models.PositiveIntegerField(default=0, help_text="Bytes")),
                ("content", models.BinaryField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="exports",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-asked_at"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "queued")),
                        fields=("user",),
                        name="one_export_in_the_making",
                    )
                ],
            },
        ),
        migrations.AlterModelOptions(
            name="user",
            options={"permissions": [("erase_user", "Can erase a person")]},
        ),
        migrations.RunPython(take_names_out, migrations.RunPython.noop),
    ]
