"""The ledger works as before after deploy/partition_ledger.sql has partitioned it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.audit import append_only
from accounts.audit.merkle_log.sealer import seal
from accounts.audit.models import SealedRow
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.live import ROOT
from weights.ledger.models import Download
from weights.ledger.recording import DOWNLOADS, PROTECTED

pytestmark = [pytest.mark.one_database, pytest.mark.slow, pytest.mark.django_db]


def test_a_partitioned_ledger_is_written_guarded_and_sealed(
    store: Path, applicant: User, own_horizon: None
) -> None:
    revision = factories.published("acme/model")
    before = factories.downloaded(applicant, revision)
    tomorrow = timezone.now() + timedelta(days=1)
    script = (ROOT / "deploy" / "partition_ledger.sql").read_text()
    script = script.replace("2027-01-01", f"{tomorrow:%Y-%m-%d}")
    script = script.replace("2027-02-01", f"{tomorrow + timedelta(days=31):%Y-%m-%d}")
    # A test runs in one transaction.
    script = script.replace("CONCURRENTLY ", "").replace("BEGIN;", "").replace("COMMIT;", "")
    page = (ROOT / "docs" / "scaling.md").read_text()
    vacuum = re.findall(r"^    (ALTER TABLE \w+ SET .*;)$", page, flags=re.MULTILINE)
    with connection.cursor() as cursor:
        cursor.execute("\n".join([*vacuum, script]))
    with time_machine.travel(tomorrow + timedelta(days=2)):
        after = factories.downloaded(applicant, revision)
    with time_machine.travel(tomorrow + timedelta(days=90)):
        later = factories.downloaded(applicant, revision)
    assert list(Download.objects.order_by("pk")) == [before, after, later]
    assert append_only.altered_triggers(connection, PROTECTED) == []
    for partition in ("", "_earlier", "_2027_01", "_later"):
        for change in ("TRUNCATE {}", "DELETE FROM {}", "UPDATE {} SET path = ''"):
            with (
                pytest.raises(DatabaseError, match="append-only"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(change.format(f"weights_download{partition}"))
    seal()
    assert SealedRow.objects.filter(log=DOWNLOADS.number).count() == 3
