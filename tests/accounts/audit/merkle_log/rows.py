"""Rows of trail and ledger to seal, and facts about sealed ones."""

from accounts.audit.merkle_log.sealed_tables import LOGS
from accounts.audit.models import AuditEvent, SealedRow
from tests.support.sample_events import SampleEvent
from weights.ledger.models import Download


def event(number: int = 0) -> AuditEvent:
    return AuditEvent.record(SampleEvent.DONE, details={"number": number})


def download() -> Download:
    return Download.objects.create(
        credential_kind="token", repo_id="acme/weights", path="a.bin", outcome="served"
    )


def all_rows() -> list[tuple[int, int]]:
    """(log, id) of every row there is."""
    return sorted(
        (log.number, key) for log in LOGS for key in log.rows.values_list("pk", flat=True)
    )


def sealed() -> list[tuple[int, int]]:
    return sorted(SealedRow.objects.values_list("log", "row_id"))
