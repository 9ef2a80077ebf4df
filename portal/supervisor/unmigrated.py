"""A command on a database that this version was not prepared for says so, and not what broke."""

import django
from django.core.management import get_commands
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from portal.database_move import unfinished

_OURS = {"accounts", "weights", "portal"}
#: What prepares it, and what does without: a backup is best taken before a new version's start.
_STARTS = {"prepare_install", "quickstart"}
_ANYWHERE = {*_STARTS, "restore", "restore_drill", "backup"}


def why_not(command: str) -> str:
    """Why this command cannot run on the database as it is, in a line; empty if it can.

    Raises what the database raises that does not answer.
    """
    django.setup()
    if get_commands().get(command) not in _OURS or command in _ANYWHERE - _STARTS:
        return ""
    if unfinished.is_marked():
        return unfinished.WHY_NOT
    if command in _STARTS:
        return ""
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not waiting:
        return ""
    return (
        f"the database is not prepared for this version ({len(waiting)} migrations wait): start"
        " the portal (make run), or run manage.py prepare_install, then run the same again"
    )
