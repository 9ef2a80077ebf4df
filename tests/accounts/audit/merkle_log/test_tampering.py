"""Someone with write access to the database can change the trail but cannot hide it."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, models

from accounts.audit.merkle_log import sealed_tables, sealer
from accounts.audit.merkle_log.merkle import leaf_hash
from accounts.audit.models import AuditEvent, SealBatch, SealedNode, SealedRow
from tests.accounts.audit.merkle_log import rows
from tests.support.database import trail
from weights.ledger.models import Download

pytestmark = pytest.mark.django_db


@pytest.fixture
def sealed_trail() -> list[int]:
    """Forty events and some downloads in batches of a dozen; the ids of the events."""
    made = []
    for number in range(40):
        made.append(rows.event(number).pk)
        if number % 4 == 0:
            rows.download()
    while sealer.seal_batch(limit=6)[0]:
        pass
    call_command("verify_audit")
    return made


def events(**which: object) -> "models.QuerySet[AuditEvent]":
    return sealed_tables.EVENTS.rows.filter(**which)


def run(statement: str, *values: Any) -> None:
    with trail.unguarded(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def fault() -> str:
    with pytest.raises(CommandError) as raised:
        call_command("verify_audit")
    text = str(raised.value)
    assert "\n" not in text
    return text


ALTERED = {
    "action": "UPDATE accounts_auditevent SET action = 'grant.given' WHERE id = %s",
    "actor": "UPDATE accounts_auditevent SET actor_id = '00000000000000000000000000000001'"
    " WHERE id = %s",
    "time": "UPDATE accounts_auditevent SET at = '2020-01-01 00:00:00+00:00' WHERE id = %s",
    "details": "UPDATE accounts_auditevent SET details = '{\"number\": 99}' WHERE id = %s",
    "result": "UPDATE accounts_auditevent SET result = 'failed' WHERE id = %s",
}


@pytest.mark.parametrize("field", ALTERED)
def test_an_altered_row_is_named(sealed_trail: list[int], field: str) -> None:
    run(ALTERED[field], sealed_trail[17])
    assert fault().startswith(f"event {sealed_trail[17]} (leaf ")
    assert fault().endswith("was altered after it was sealed")


def test_an_altered_download_is_named(sealed_trail: list[int]) -> None:
    third = Download.objects.order_by("pk")[2].pk
    run("UPDATE weights_download SET sha256 = %s WHERE id = %s", "f" * 64, third)
    assert fault().startswith(f"download {third} (leaf ")


@pytest.mark.requirement("AU-4")
def test_the_first_bad_row_is_named_and_the_good_ones_before_it_counted(
    sealed_trail: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (30, 3, 8):
        run(ALTERED["result"], sealed_trail[number])
    assert fault().startswith(f"event {sealed_trail[3]} ")
    assert "rows checked: 3\n" in capsys.readouterr().out


def test_a_removed_row_is_named(sealed_trail: list[int]) -> None:
    run("DELETE FROM accounts_auditevent WHERE id = %s", sealed_trail[5])
    assert fault().startswith(f"event {sealed_trail[5]} (leaf ")
    assert fault().endswith("was removed")


def test_a_row_that_is_removed_with_its_leaf_is_missed(sealed_trail: list[int]) -> None:
    place = SealedRow.objects.get(log=1, row_id=sealed_trail[5]).index
    run("DELETE FROM accounts_auditevent WHERE id = %s", sealed_trail[5])
    run('DELETE FROM accounts_sealedrow WHERE "index" = %s', place)
    assert fault().startswith(f"leaf {place} is missing")


def test_two_rows_that_changed_places_are_noticed(sealed_trail: list[int]) -> None:
    one, other = sealed_trail[7], sealed_trail[8]
    for old, new in ((one, -1), (other, one), (-1, other)):
        run("UPDATE accounts_auditevent SET id = %s WHERE id = %s", new, old)
    assert fault().startswith(f"event {one} ")


def test_two_leaves_that_changed_places_are_noticed(sealed_trail: list[int]) -> None:
    one, other = sealed_trail[7], sealed_trail[8]
    for old, new in ((one, -1), (other, one), (-1, other)):
        run("UPDATE accounts_sealedrow SET row_id = %s WHERE log = 1 AND row_id = %s", new, old)
    assert "was moved: it was sealed as leaf" in fault()


def test_whole_leaves_that_changed_places_lead_to_another_root(sealed_trail: list[int]) -> None:
    for old, new in ((2, -1), (3, 2), (-1, 3)):
        run('UPDATE accounts_sealedrow SET "index" = %s WHERE "index" = %s', new, old)
    assert "batch 1 (leaves 0 to " in fault()


def insert(key: int, written_in: int) -> None:
    columns = "id, at, action, credential_kind, credential_id, object_kind, object_id, result"
    names = f"{columns}, details, request_id, network"
    values = "%s, '2020-01-01', 'grant.given', '', '', '', '', 'ok', '{}', '', ''"
    if connection.vendor == "postgresql":
        names, values = f"{names}, written_in", f"{values}, {written_in}"
    run(f"INSERT INTO accounts_auditevent ({names}) VALUES ({values})", key)


def test_another_row_in_the_place_of_a_removed_one_is_named(sealed_trail: list[int]) -> None:
    run("DELETE FROM accounts_auditevent WHERE id = %s", sealed_trail[4])
    insert(sealed_trail[4], written_in=3)
    assert fault().startswith(f"event {sealed_trail[4]} (leaf ")


def test_a_row_inserted_as_if_it_were_old_is_named(sealed_trail: list[int]) -> None:
    insert(-5, written_in=3)
    assert sealer.seal() == 0
    assert fault().startswith("event -5 was inserted out of band")


def test_a_row_that_no_sealer_would_ever_come_to_is_named(sealed_trail: list[int]) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite's rows do not say which transaction wrote them")
    insert(10**9, written_in=2**62)
    assert sealer.seal() == 0
    assert fault().startswith(f"event {10**9} was inserted out of band")


def test_a_tail_that_was_cut_off_with_its_leaves_is_noticed_by_its_batch(
    sealed_trail: list[int],
) -> None:
    size = SealedRow.objects.count()
    run('DELETE FROM accounts_sealedrow WHERE "index" >= %s', size - 3)
    assert fault().startswith(f"leaf {size - 3} is missing")


def test_a_removed_batch_is_named(sealed_trail: list[int]) -> None:
    run("DELETE FROM accounts_sealbatch WHERE number = 2")
    assert fault() == "batch 2 is missing"


def test_a_removed_last_batch_leaves_leaves_behind(sealed_trail: list[int]) -> None:
    last = SealBatch.objects.order_by("number").last()
    assert last is not None
    run("DELETE FROM accounts_sealbatch WHERE number = %s", last.number)
    assert fault().endswith("is sealed by no batch")


@pytest.mark.requirement("AU-4")
@pytest.mark.parametrize("column", ["root", "edge"])
def test_an_altered_batch_is_named(sealed_trail: list[int], column: str) -> None:
    right = bytes(SealBatch.objects.values_list(column, flat=True).get(number=3))
    wrong = right[:-1] + bytes([right[-1] ^ 1])
    run(f"UPDATE accounts_sealbatch SET {column} = %s WHERE number = 3", wrong)
    assert fault().startswith("batch 3 (leaves ")


def test_a_batch_that_claims_other_leaves_is_named(sealed_trail: list[int]) -> None:
    run("UPDATE accounts_sealbatch SET start = start - 1 WHERE number = 3")
    assert fault().startswith("batch 3 ")


def test_an_altered_node_is_named(sealed_trail: list[int]) -> None:
    key = SealedNode.key(4, 1)
    assert SealedNode.objects.filter(pk=key).exists()
    run("UPDATE accounts_sealednode SET hash = %s WHERE id = %s", b"\x00" * 32, key)
    assert fault().startswith(f"node {key} ")


def test_a_seal_that_was_forged_with_its_row_leads_to_another_root(
    sealed_trail: list[int],
) -> None:
    run(ALTERED["action"], sealed_trail[9])
    row = events(pk=sealed_trail[9]).values_list(*sealed_tables.EVENTS.fields).get()
    forged = leaf_hash(sealed_tables.EVENTS.leaf_input(row))
    run(
        "UPDATE accounts_sealedrow SET hash = %s WHERE log = 1 AND row_id = %s",
        *(forged, sealed_trail[9]),
    )
    assert "has a different root from its rows" in fault()


def test_triggers_that_were_left_off_are_noticed(sealed_trail: list[int]) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ALTER TABLE weights_download DISABLE TRIGGER USER")
        else:
            cursor.execute("DROP TRIGGER weights_download_keeps_update")
    assert fault() == "the trigger weights_download_keeps_update is missing, disabled or altered"


def test_an_empty_trail_is_a_good_one(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("verify_audit")
    assert "rows checked: 0\n" in capsys.readouterr().out
