"""A running worker seals automatically, also after a kill; two workers do not conflict."""

from collections.abc import Callable

import pytest

from accounts.audit.merkle_log.verification import TrailVerification
from accounts.audit.models import AuditEvent
from portal.settings import audit_record
from tests.accounts.audit.merkle_log import rows
from tests.support.servers.live import Portal
from tests.support.servers.services import wait_until


def sealed_soon() -> None:
    wait_until(lambda: rows.sealed() == rows.all_rows(), "the seal")


def told_settings() -> set[str]:
    """The kinds of process that have recorded their settings."""
    events = AuditEvent.objects.filter(action=audit_record.ACTION)
    return {event.details["process"] for event in events}


@pytest.mark.one_database
def test_a_worker_seals_and_continues_after_a_kill(
    store: object, start_portal: Callable[..., Portal]
) -> None:
    portal = start_portal(worker=True)
    start_portal(worker=True)
    for number in range(30):
        rows.event(number)
    # Both kinds of process have recorded their settings, which are sealed as well.
    wait_until(lambda: {"web", "worker"} <= told_settings(), "the settings")
    sealed_soon()
    portal.kill("worker")
    for number in range(30):
        rows.event(number)
    portal.start("worker")
    sealed_soon()
    verification = TrailVerification()
    verification.run()
    assert verification.verified.rows == len(rows.all_rows()) >= 60
    done = portal.manage("verify_audit")
    assert done.returncode == 0, done.stderr
    # The restarted worker may have recorded its settings since.
    checked = int(done.stdout.splitlines()[0].removeprefix("rows checked: "))
    assert checked >= verification.verified.rows
