"""A running worker seals by itself, again after a kill, and two of them do not mind each other."""

from collections.abc import Callable

import pytest

from accounts.sealing.checking import Check
from tests.accounts.sealing import rows
from tests.live import Portal
from tests.services import wait_until


def sealed_soon() -> None:
    wait_until(lambda: rows.sealed() == rows.all_rows(), "the seal", seconds=10)


@pytest.mark.one_database
def test_a_worker_seals_and_goes_on_after_a_kill(
    store: object, start_portal: Callable[..., Portal]
) -> None:
    portal = start_portal(worker=True)
    start_portal(worker=True)
    for number in range(30):
        rows.event(number)
    sealed_soon()
    portal.kill("worker")
    for number in range(30):
        rows.event(number)
    portal.start("worker")
    sealed_soon()
    check = Check()
    check.to_the_end()
    assert check.done.rows == len(rows.all_rows()) >= 60
    done = portal.manage("verify_audit")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"rows checked: {check.done.rows}\n")
