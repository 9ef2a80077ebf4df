"""An index of audit events by actor, for the list of what a person did themselves.

It is created without blocking the writers of the trail. `DROP` first, because a creation that
was interrupted leaves an index that PostgreSQL does not use.
"""

from django.db import migrations, models

_NAME = "audit_by_actor"


def create(apps, schema_editor):
    online = "CONCURRENTLY" if schema_editor.connection.vendor == "postgresql" else ""
    schema_editor.execute(f"DROP INDEX {online} IF EXISTS {_NAME}")
    schema_editor.execute(f"CREATE INDEX {online} {_NAME} ON accounts_auditevent (actor_id)")


def drop(apps, schema_editor):
    schema_editor.execute(f"DROP INDEX IF EXISTS {_NAME}")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("accounts", "0035_api_token_label")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(create, drop)],
            state_operations=[
                migrations.AddIndex("auditevent", models.Index(fields=["actor_id"], name=_NAME))
            ],
        )
    ]
