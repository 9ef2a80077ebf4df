"""Keep when staff first answered, and fill it in for what was decided before."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Coalesce


def fill_in(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """A return or a rejection answers; an approval does when it ends the application."""
    application = apps.get_model("accounts", "Application")
    told = (
        apps.get_model("accounts", "Decision")
        .objects.filter(application=OuterRef("pk"), verdict__in=["return", "reject"])
        .order_by("created_at")
        .values("created_at")[:1]
    )
    reached = Q(status="approved") | Q(
        pk__in=apps.get_model("accounts", "Decision")
        .objects.filter(verdict__in=["return", "reject"])
        .values("application")
    )
    application.objects.filter(reached).update(answered_at=Coalesce(Subquery(told), "decided_at"))


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_every_application_has_a_form"),
    ]

    operations = [
        migrations.AddField(
            model_name="application",
            name="answered_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.RunPython(fill_in, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="application",
            index=models.Index(fields=["tier", "answered_at"], name="application_answers"),
        ),
    ]
