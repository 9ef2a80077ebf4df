"""A command on a database without its tables names the command to run first."""

import os
import subprocess
import sys
import uuid
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from psycopg import sql

from portal import processes
from portal.databases import readiness, state
from tests.support.servers.live import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


def test_a_command_on_a_database_of_an_older_version_names_what_prepares_it() -> None:
    assert readiness.refusal("create_token") == ""
    MigrationRecorder.Migration.objects.filter(app="weights").delete()
    assert "run manage.py prepare_install" in readiness.refusal("create_token")


@pytest.mark.parametrize("command", ["backup", "restore", "prepare_install", "migrate", "help"])
def test_commands_that_prepare_or_save_a_database_are_allowed(command: str) -> None:
    MigrationRecorder.Migration.objects.filter(app="weights").delete()
    assert readiness.refusal(command) == ""


def test_a_database_of_another_encoding_is_refused_before_it_is_migrated() -> None:
    """PostgreSQL's `C` locale makes SQL_ASCII databases, where the catalogue cannot be loaded."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite stores UTF-8 alone")
    server, name = os.environ["DATABASE_URL"], f"ascii_{uuid.uuid4().hex[:12]}"
    address = urlsplit(server)._replace(path=f"/{name}").geturl()
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} ENCODING SQL_ASCII LOCALE 'C' TEMPLATE template0").format(
                sql.Identifier(name)
            )
        )
        try:
            done = subprocess.run(
                [sys.executable, "manage.py", "prepare_install"],
                env=os.environ | {"DATABASE_URL": address},
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    assert done.returncode == 1
    assert "the database stores texts as SQL_ASCII" in done.stderr
    assert "Traceback" not in done.stderr


def _forget(*migrations: tuple[str, str]) -> None:
    for app, name in migrations:
        MigrationRecorder(connection).record_unapplied(app, name)


def test_a_database_of_the_commit_before_release_0_1_0_needs_no_migration() -> None:
    _forget(*MigrationLoader(connection).replacements)
    assert readiness.refusal("migrate") == ""
    call_command("migrate", interactive=False, verbosity=0)
    assert ("weights", "0001_squashed_0018_inspections_read_to_end") in MigrationRecorder(
        connection
    ).applied_migrations()
    assert readiness.refusal("create_token") == ""


@pytest.mark.parametrize("command", ["migrate", "quickstart", "prepare_install", "create_token"])
def test_for_an_older_database_one_line_names_the_version_to_run_first(command: str) -> None:
    _forget(*MigrationLoader(connection).replacements, ("weights", "0018_inspections_read_to_end"))
    line = readiness.refusal(command)
    assert "check out commit 796f61f" in line
    assert "\n" not in line


def test_a_process_does_not_start_on_the_target_of_an_unfinished_move() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite's target has another name until the move has ended")
    assert not processes._is_unfinished_move()
    state.mark_unfinished_move(connection)
    with pytest.raises(SystemExit, match="the target of an unfinished move"):
        processes.main(["web"])
    state.clear_unfinished_move(connection)
