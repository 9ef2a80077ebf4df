"""Refuse commands on a database that is not ready, before they fail on it."""

from pathlib import Path

import django
from django.core.management import get_commands
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from portal.databases import state

_OUR_APPS = {"accounts", "weights", "portal"}
#: Commands that prepare the database, and commands that do not need it to be ready.
_PREPARING = {"fill_demo", "prepare_install", "quickstart"}
_INDEPENDENT = {"restore", "restore_drill", "backup", "check_install", "health"}
#: The last commit with the migrations that 0001_squashed_… of release 0.1.0 replaces.
_LAST_BEFORE_0_1_0 = "796f61f"
_TOO_OLD = (
    "this database is too old for release 0.1.0: check out commit"
    f" {_LAST_BEFORE_0_1_0}, run manage.py migrate there, then start this version again"
)


def refusal(command: str) -> str:
    """Why `manage.py command` cannot run on the settings' database; empty if it can.

    Raises OperationalError and InterfaceError if the database does not answer.
    """
    django.setup()
    if command in _INDEPENDENT:
        return ""
    is_ours = get_commands().get(command) in _OUR_APPS
    if (is_ours or command == "migrate") and is_too_old():
        return _TOO_OLD
    if not is_ours:
        return ""
    if (encoding := _encoding()) != "UTF8":
        return (
            f"the database stores texts as {encoding}, which cannot hold all of them: create it"
            " anew with ENCODING 'UTF8' TEMPLATE template0"
        )
    if state.is_unfinished_move():
        return state.UNFINISHED_MOVE
    if command in _PREPARING:
        return ""
    waiting = waiting_migrations()
    if not waiting:
        return ""
    return (
        f"the database is not prepared for this version ({waiting} migrations wait): start"
        " the portal (make run), or run manage.py prepare_install, then run the same command again"
    )


def waiting_migrations() -> int:
    """The number of migrations that the database still needs for this version."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _encoding() -> str:
    """PostgreSQL's encoding of the database; SQLite always stores UTF-8."""
    if connection.vendor != "postgresql":
        return "UTF8"
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_encoding")
        return str(cursor.fetchone()[0])


def is_too_old() -> bool:
    """True if only some of the migrations that 0001_squashed_… replaces were applied."""
    if connection.vendor == "sqlite" and not Path(connection.settings_dict["NAME"]).exists():
        return False  # connecting would create it
    loader = MigrationLoader(connection, load=False)
    loader.load_disk()
    applied = set(MigrationRecorder(connection).applied_migrations())
    return any(
        applied & replaced and not replaced <= applied
        for migration in loader.disk_migrations.values()
        if migration.app_label in _OUR_APPS and (replaced := set(migration.replaces))
    )
