"""The database itself refuses to change or delete rows of trail, ledger and seals."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, models, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.utils import timezone

from accounts.audit import append_only, request_context
from accounts.audit.merkle_log import sealer
from accounts.audit.models import AuditEvent, SealBatch, SealedNode, SealedRow, SignedHead
from tests.support.sample_events import SampleEvent
from weights.ledger import recording
from weights.ledger.models import Download

pytestmark = pytest.mark.django_db

Make = Callable[[], models.Model]


def event() -> models.Model:
    with request_context.using(request_context.RequestContext("r", "10.0.0.0/24")):
        return AuditEvent.record(SampleEvent.DONE, details={"why": "a test", "n": [1, 2.5, None]})


def download() -> models.Model:
    return Download.objects.create(
        credential_kind="token", repo_id="acme/weights", outcome="served", network="10.0.0.0/24"
    )


def sealed_row() -> models.Model:
    event()
    sealer.seal()
    return SealedRow.objects.get()


def batch() -> models.Model:
    sealed_row()
    return SealBatch.objects.get()


def node() -> models.Model:
    return SealedNode.objects.create(id=1, hash=b"x" * 32)


def head() -> models.Model:
    return SignedHead.objects.create(signed_at=timezone.now(), size=1, root=b"r", note="n")


MAKES: list[Make] = [event, download, sealed_row, batch, node, head]
LOGS: list[Make] = [event, download]


def refused(statement: str, *values: Any, words: str = "append-only") -> bool:
    """Whether the database refused it, by the words of our triggers."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, values)
    except DatabaseError as error:
        return re.search(words, str(error)) is not None
    return False


@pytest.mark.requirement("AU-1")
@pytest.mark.parametrize("make", MAKES, ids=lambda make: make.__name__)
def test_rows_can_be_neither_changed_nor_deleted(make: Make) -> None:
    row = make()
    table, key = row._meta.db_table, row._meta.pk.column
    for field in row._meta.concrete_fields:
        if field.name != "network":
            column = f'"{field.column}"'
            assert refused(f"UPDATE {table} SET {column} = {column}"), field
    assert refused(f"DELETE FROM {table}")
    assert refused(f'DELETE FROM {table} WHERE "{key}" = %s', row.pk)
    assert models.QuerySet(type(row)).count() == 1


@pytest.mark.parametrize("make", LOGS, ids=lambda make: make.__name__)
def test_the_network_may_be_blanked_and_nothing_with_it(make: Make) -> None:
    row = make()
    table = row._meta.db_table
    assert refused(f"UPDATE {table} SET network = '10.9.9.0/24'")
    assert refused(f"UPDATE {table} SET network = '', request_id = 'other'")
    assert refused(f"UPDATE {table} SET network = '', id = id + 1")
    assert not refused(f"UPDATE {table} SET network = ''")
    assert refused(f"UPDATE {table} SET network = ''"), "there is nothing left to forget"
    assert models.QuerySet(type(row)).get(pk=row.pk).network == ""


@pytest.mark.requirement("AU-1")
@pytest.mark.parametrize("make", MAKES, ids=lambda make: make.__name__)
def test_a_row_cannot_be_replaced_or_truncated_away(make: Make) -> None:
    row = make()
    table = row._meta.db_table
    if connection.vendor == "postgresql":
        # Without CASCADE, PostgreSQL itself refuses if another table refers to this one.
        assert refused(f"TRUNCATE {table}", words="append-only|foreign key")
        assert refused(f"TRUNCATE {table} CASCADE")
    else:
        assert refused(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    assert models.QuerySet(type(row)).count() == 1


def test_an_empty_trail_may_be_flushed_since_data_are_about_to_be_loaded() -> None:
    if connection.vendor == "postgresql":
        assert not refused("TRUNCATE accounts_auditevent")
    assert not refused("DELETE FROM accounts_auditevent")


def test_a_trigger_that_is_missing_is_noticed() -> None:
    tables = {**append_only.TRAIL, **recording.PROTECTED}
    assert append_only.altered_triggers(connection, tables) == []
    name = append_only.trigger_names(connection, "weights_download")[1]
    on_table = " ON weights_download" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {name}{on_table}")
    assert append_only.altered_triggers(connection, tables) == [name]


@pytest.mark.requirement("AU-4")
def test_a_trigger_that_refuses_nothing_any_more_is_noticed() -> None:
    tables = {**append_only.TRAIL, **recording.PROTECTED}
    name = append_only.trigger_names(connection, "weights_download")[0]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "CREATE FUNCTION lets_through() RETURNS trigger LANGUAGE plpgsql"
                " AS $$ BEGIN RETURN NEW; END $$"
            )
            cursor.execute(f"DROP TRIGGER {name} ON weights_download")
            made = "FOR EACH ROW EXECUTE FUNCTION lets_through()"
        else:
            cursor.execute(f"DROP TRIGGER {name}")
            made = "BEGIN SELECT 1; END"
        cursor.execute(f"CREATE TRIGGER {name} BEFORE UPDATE ON weights_download {made}")
    assert append_only.altered_triggers(connection, tables) == [name]
    with pytest.raises(CommandError, match=f"{name} is missing, disabled or altered"):
        call_command("verify_audit")


def test_a_function_of_postgresql_that_refuses_nothing_any_more_is_noticed() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite's triggers have no functions")
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION weighbridge_refuse() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RETURN OLD; END $$"
        )
    weak = append_only.altered_triggers(connection, recording.PROTECTED)
    assert weak == [append_only.trigger_names(connection, "weights_download")[1]]


def test_sqlite_gets_its_triggers_back_after_a_table_was_made_anew() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL changes tables in place")
    append_only.unprotect(connection, recording.PROTECTED)
    assert append_only.altered_triggers(connection, recording.PROTECTED)
    call_command("migrate", verbosity=0)
    assert append_only.altered_triggers(connection, recording.PROTECTED) == []


@pytest.mark.django_db(transaction=True)
def test_the_last_step_of_the_migrations_can_go_back_and_forth() -> None:
    event(), download()
    tables = {**append_only.TRAIL, **recording.PROTECTED}
    loader = MigrationLoader(connection)
    last_steps = [loader.replacements[key].operations[-1] for key in loader.replacements]
    assert len(last_steps) == 2
    with connection.schema_editor() as editor:
        for step in last_steps:
            step.database_backwards("", editor, _NO_STATE, _NO_STATE)
    assert set(append_only.altered_triggers(connection, tables)) == {
        name for table in tables for name in append_only.trigger_names(connection, table)
    }
    with connection.schema_editor() as editor:
        for step in last_steps:
            step.database_forwards("", editor, _NO_STATE, _NO_STATE)
    assert append_only.altered_triggers(connection, tables) == []
    assert sealer.seal() == 2


_NO_STATE = ProjectState()
