"""Change requests, and who assigned and confirmed each role."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def name_assigners(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Fill `assigned_by` from the audit trail, which has recorded it since the first release."""
    alias = editor.connection.alias
    events = apps.get_model("accounts", "AuditEvent").objects.using(alias)
    people = apps.get_model("accounts", "User").objects.using(alias)
    roles = apps.get_model("accounts", "RoleAssignment").objects.using(alias)
    for assignment in roles.select_related("user", "tier"):
        given = events.filter(
            action="role.assigned", object_id=str(assignment.user.public_id)
        ).order_by("-pk")
        wanted = (assignment.role, assignment.tier.slug if assignment.tier else None)
        for event in given:
            if (event.details.get("role"), event.details.get("tier")) == wanted:
                giver = people.filter(public_id=event.actor_id).first()
                roles.filter(pk=assignment.pk).update(assigned_by=giver)
                break


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0028_token_limits"),
    ]

    operations = [
        migrations.AddField(
            model_name="roleassignment",
            name="assigned_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="roleassignment",
            name="confirmed_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunPython(name_assigners, migrations.RunPython.noop),
        migrations.CreateModel(
            name="ChangeRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("act", models.CharField(max_length=40)),
                ("all_tiers", models.BooleanField(default=False, verbose_name="Every tier")),
                ("object_kind", models.CharField(max_length=60)),
                ("object_id", models.CharField(max_length=64)),
                ("parameters", models.JSONField(default=dict)),
                ("reason", models.CharField(max_length=500)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("confirmed", "Confirmed"),
                            ("declined", "Declined"),
                            ("withdrawn", "Withdrawn"),
                            ("expired", "Expired"),
                            ("superseded", "Superseded"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("outcome", models.CharField(blank=True, max_length=500)),
                (
                    "decided_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "requester",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="change_requests",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tiers",
                    models.ManyToManyField(
                        blank=True, related_name="change_requests", to="accounts.tier"
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-pk"],
                "indexes": [
                    models.Index(fields=["state", "expires_at"], name="change_request_ends"),
                    models.Index(
                        fields=["object_kind", "object_id"], name="change_request_by_object"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "confirmed"), _negated=True),
                            models.Q(
                                ("decided_by__isnull", False),
                                models.Q(("decided_by", models.F("requester")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="a_second_person_confirms_a_change_request",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True),
                        name="a_change_request_has_a_reason",
                    ),
                ],
            },
        ),
    ]
