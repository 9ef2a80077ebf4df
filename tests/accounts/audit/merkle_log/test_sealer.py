"""Every row of trail and ledger before the horizon is sealed once, also by concurrent sealers."""

import random
import threading
import time
from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.audit.merkle_log import sealer, unsealed
from accounts.audit.merkle_log.sealer import Sealer
from accounts.audit.merkle_log.verification import TrailVerification, Verified
from accounts.audit.models import AuditEvent, SealBatch, SealedRow
from tests.accounts.audit.merkle_log import rows
from tests.support import crashes, hurry
from tests.support.database import trail
from tests.support.servers.services import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def verify() -> Verified:
    """The counts of a complete verification that found no fault."""
    verification = TrailVerification()
    verification.run()
    return verification.verified


@pytest.mark.requirement("AU-3")
def test_rows_are_sealed_once_and_in_the_order_in_which_they_came() -> None:
    made = [rows.event(1), rows.event(2)]
    rows.download()
    assert sealer.seal() == 3
    assert sealer.seal() == 0
    assert rows.sealed() == rows.all_rows()
    first = SealedRow.objects.filter(log=1).order_by("index").values_list("row_id", flat=True)
    assert list(first) == [event.pk for event in made]
    assert verify().rows == 3


def test_many_rows_take_several_batches_that_follow_each_other() -> None:
    for number in range(40):
        rows.event(number)
        rows.download()
    counts = []
    while (count := sealer.seal_batch(limit=7)[0]) > 0:
        counts.append(count)
    assert counts == [14] * 5 + [10]
    sizes = list(SealBatch.objects.order_by("number").values_list("start", "size"))
    assert sizes == list(zip(range(0, 80, 14), [14, 28, 42, 56, 70, 80], strict=True))
    assert rows.sealed() == rows.all_rows()
    assert verify().batches == 6


def test_one_large_transaction_is_sealed_whole_over_several_batches() -> None:
    with transaction.atomic():
        for number in range(25):
            rows.event(number)
    rows.event()
    while sealer.seal_batch(limit=4)[0]:
        pass
    assert rows.sealed() == rows.all_rows()
    verify()


def test_a_rollback_leaves_no_gap_in_the_tree() -> None:
    rows.event()
    with transaction.atomic():
        rows.event()
        transaction.set_rollback(True)
    rows.event()
    sealer.seal()
    assert list(SealedRow.objects.order_by("index").values_list("index", flat=True)) == [0, 1]
    verify()


def test_a_network_may_be_forgotten_after_the_seal() -> None:
    AuditEvent.objects.create(action="x", network="10.0.0.0/24")
    sealer.seal()
    assert AuditEvent.objects.forget_networks(timezone.now()) == 1
    verify()


def in_a_transaction(act: Callable[[], object], goes_on: threading.Event) -> threading.Thread:
    """Do this in a transaction of another connection that stays open until it is released."""
    done = threading.Event()

    def run() -> None:
        try:
            with transaction.atomic():
                act()
                done.set()
                goes_on.wait(20)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert done.wait(20)
    return thread


@pytest.mark.one_database
def test_a_row_that_commits_after_a_later_one_is_sealed_too() -> None:
    rows.event()
    sealer.seal()
    commits = threading.Event()
    slow = in_a_transaction(rows.event, commits)
    later = rows.event()
    assert sealer.seal() == 0, "the slow one stands before it, and nobody sees it yet"
    commits.set()
    slow.join()
    assert AuditEvent.objects.filter(pk__lt=later.pk).count() == 2
    assert sealer.seal() == 2
    assert rows.sealed() == rows.all_rows()


@pytest.mark.one_database
def test_rows_older_than_a_slow_transaction_do_not_wait_for_it() -> None:
    rows.event()
    commits = threading.Event()
    slow = in_a_transaction(rows.event, commits)
    assert sealer.seal() == 1
    commits.set()
    slow.join()
    assert sealer.seal() == 1
    verify()


@pytest.mark.requirement("AU-3")
@pytest.mark.one_database
def test_eight_writers_and_two_sealers_leave_every_row_sealed_once() -> None:
    """Rollbacks, savepoints, large and slow transactions among them."""
    dice, over = random.Random(7), threading.Event()
    plans = [[dice.random() for _ in range(30)] for _ in range(8)]

    def write(plan: list[float]) -> None:
        try:
            for chance in plan:
                write_one(chance)
        finally:
            connection.close()

    def write_one(chance: float) -> None:
        with transaction.atomic():
            for number in range(1 + int(chance * 100) % 4):
                rows.event(number)
            if chance < 0.2:
                time.sleep(chance)
            if chance < 0.5:
                with transaction.atomic():
                    rows.download()
                    transaction.set_rollback(chance < 0.1)
            transaction.set_rollback(chance > 0.8)

    def keep_sealing() -> None:
        try:
            while not over.is_set():
                sealer.seal_batch(limit=11)
        finally:
            connection.close()

    writers = [threading.Thread(target=write, args=[plan]) for plan in plans]
    sealers = [threading.Thread(target=keep_sealing) for _ in range(2)]
    for thread in [*writers, *sealers]:
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    for thread in sealers:
        thread.join()
    while sealer.seal_batch()[0]:
        pass
    there = rows.all_rows()
    assert len(there) > 200
    assert rows.sealed() == there
    done = verify()
    assert done.rows == len(there)
    assert done.batches > 10, "it was sealed while they wrote"


def test_two_sealers_at_once_seal_everything_once() -> None:
    for number in range(20):
        rows.event(number)
    assert hurry.at_once(*[sealer.seal] * 4) == ["done"] * 4
    while sealer.seal_batch()[0]:
        pass
    assert rows.sealed() == rows.all_rows()
    verify()


def test_a_sealer_that_is_killed_leaves_a_whole_batch_or_none() -> None:
    for number in range(20):
        rows.event(number)
    for _ in crashes.each_crash(lambda: sealer.seal_batch(limit=8)):
        assert SealBatch.objects.count() == 0
        assert SealedRow.objects.count() == 0
    assert SealedRow.objects.count() == 8
    sealer.seal()
    assert rows.sealed() == rows.all_rows()
    verify()


def test_a_copy_on_another_server_continues_the_same_tree() -> None:
    """Its transaction ids start again, so the old horizon means nothing there."""
    rows.event()
    sealer.seal()
    rows.event()
    with trail.unguarded():
        SealBatch.objects.update(origin="postgresql:another", horizon=10**15)
    rows.event()
    assert sealer.seal() == 2
    assert rows.sealed() == rows.all_rows()
    assert SealBatch.objects.get(number=2).origin == unsealed.origin()
    rows.event()
    assert sealer.seal() == 1
    verify()


@pytest.mark.requirement("AU-3")
def test_the_sealer_seals_within_a_second_and_stops_on_request() -> None:
    running = Sealer(pause=0.1)
    running.start()
    try:
        for number in range(3):
            rows.event(number)
            wait_until(lambda: rows.sealed() == rows.all_rows(), "the seal")
    finally:
        running.stop()
    assert not running.is_alive()
    verify()


@pytest.mark.parametrize("fault", [DatabaseError("it hung up"), ValueError("cannot be hashed")])
def test_a_sealer_outlives_a_database_that_is_gone_and_a_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    failures: list[int] = []

    def seal() -> int:
        if len(failures) < 2:
            failures.append(1)
            raise fault
        return original()

    original = sealer.seal
    # A server that hangs up twice; tests/portal/test_database_away.py cuts a real one off.
    monkeypatch.setattr(sealer, "seal", seal)
    monkeypatch.setattr(sealer, "PAUSE_AFTER_ERROR", 0)  # a bound made small
    rows.event()
    running = Sealer(pause=0.05)
    running.start()
    try:
        wait_until(lambda: bool(rows.sealed()), "the seal")
    finally:
        running.stop()
    assert len(failures) == 2
