"""Refuse commands and processes on a database that is not ready, before they fail on it."""

import django
from django.core.management import get_commands
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from portal.databases import state

_OUR_APPS = {"accounts", "weights", "portal"}
#: Commands that prepare the database, and those that do not need the settings' database ready.
_PREPARING = {"prepare_install", "quickstart"}
_INDEPENDENT = {"restore", "restore_drill", "backup"}


def refusal(command: str) -> str:
    """Why `manage.py command` cannot run on the settings' database; empty if it can.

    Raises OperationalError and InterfaceError where the database does not answer.
    """
    django.setup()
    if get_commands().get(command) not in _OUR_APPS or command in _INDEPENDENT:
        return ""
    if state.is_unfinished_move():
        return state.UNFINISHED_MOVE
    if command in _PREPARING:
        return ""
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not waiting:
        return ""
    return (
        f"the database is not prepared for this version ({len(waiting)} migrations wait): start"
        " the portal (make run), or run manage.py prepare_install, then run the same again"
    )
