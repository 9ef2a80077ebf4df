from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def name_the_forms(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Until now every tier had one form, without extra questions: its version 1."""
    forms = apps.get_model("accounts", "FormVersion").objects
    applications = apps.get_model("accounts", "Application").objects
    for tier_id in applications.order_by().values_list("tier", flat=True).distinct():
        form, _ = forms.get_or_create(tier_id=tier_id, number=1)
        applications.filter(tier_id=tier_id).update(form=form)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_review_workflow")]
    operations = [migrations.RunPython(name_the_forms, migrations.RunPython.noop)]
