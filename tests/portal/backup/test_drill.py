"""Drills of PostgreSQL backups work with any usable server, and report what is missing."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from accounts.audit.merkle_log import sealer
from portal.backup import layout
from tests.accounts.audit.merkle_log import rows
from tests.portal.backup.test_backup import no_database_is_left, taken
from tests.support import factories
from tests.support.servers import services
from tests.support.servers.install import Install

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

Manage = Callable[..., str]
NOWHERE = {"BROKER_URL": "redis://127.0.0.1:1/0"}


@pytest.fixture
def backup(store: Path, tmp_path: Path, manage: Manage) -> Path:
    """A backup of PostgreSQL."""
    if connection.vendor != "postgresql":
        pytest.skip("needs a server of PostgreSQL")
    rows.event()
    sealer.seal()
    factories.published("acme/small")
    return taken(manage, tmp_path / "backups")


@pytest.fixture
def guest() -> Iterator[str]:
    """The URL of the server for a user who may not create databases."""
    name = f"guest_{factories.word()}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'guest'").format(sql.Identifier(name))
        )
        yield url_of(name)
        server.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def url_of(user: str) -> str:
    """DATABASE_URL for another user."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:guest@{host}"))


def drill(tmp_path: Path, backup: Path, *options: str) -> tuple[int, str, str]:
    """A drill in an install of SQLite."""
    trust = ("--key", (backup / layout.SIGNATURE).read_text().splitlines()[0])
    data_dir = tmp_path / "embedded"
    install = Install(data_dir, services.free_port(), data_dir.with_suffix(".log"), NOWHERE)
    done = install.manage("restore_drill", str(backup), *trust, *options)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.requirement("OP-7")
def test_a_backup_of_postgresql_is_drilled_on_an_install_of_sqlite(
    backup: Path, tmp_path: Path
) -> None:
    code, output, errors = drill(tmp_path, backup)
    assert code == 1
    assert errors.count("\n") == 1
    assert "this install uses SQLite; name a server of PostgreSQL by --server" in errors

    code, output, errors = drill(tmp_path, backup, "--server", os.environ["DATABASE_URL"])
    assert (code, errors) == (0, ""), output
    assert "differences: 0" in output
    no_database_is_left()


@pytest.mark.requirement("OP-7")
def test_a_user_who_may_not_create_databases_is_told_the_right_to_ask_for(
    backup: Path, tmp_path: Path, guest: str
) -> None:
    code, _, errors = drill(tmp_path, backup, "--server", guest)
    assert code == 1
    assert errors.count("\n") == 1
    assert "may not create a database for the drill" in errors
    assert "CREATEDB" in errors


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:///x", "not a URL of PostgreSQL"),
        ("postgres://127.0.0.1:1/x", "refused"),
        ("nonsense", "not a URL of PostgreSQL"),
    ],
)
def test_a_server_that_cannot_be_used_is_refused_in_one_line(
    backup: Path, tmp_path: Path, url: str, words: str
) -> None:
    code, _, errors = drill(tmp_path, backup, "--server", url)
    assert code == 1
    assert errors.count("\n") == 1
    assert words in errors
