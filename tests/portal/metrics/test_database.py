"""A scrape takes a fixed, small number of queries, and survives a dead database."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone
from prometheus_client import CollectorRegistry
from pytest_django import DjangoAssertNumQueries

from accounts.tiers.models import Tier
from accounts.users.models import User
from portal.health import findings
from portal.metrics.database import DatabaseCollector
from tests.support import factories, promtool
from weights.integrity.models import VerificationRun
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def _scrape() -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(DatabaseCollector())
    return promtool.samples(registry)


def test_a_scrape_costs_the_same_number_of_queries_whatever_waits(
    gated_tier: Tier, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(23):
        _scrape()
    for _ in range(3):
        factories.submitted(factories.person(), gated_tier)
    with django_assert_num_queries(23):
        assert _scrape()["weighbridge_review_waiting_applications{}"] == 3


def test_checks_have_a_rate_and_results_and_events_a_count(applicant: User) -> None:
    blob = Blob.objects.create(sha256="a" * 64, size=3000)
    now = timezone.now()
    for result, age in (("verified", 10), ("mismatch", 200), ("verified", 400)):
        VerificationRun.objects.create(
            blob=blob, result=result, bytes_read=3000, finished_at=now - timedelta(seconds=age)
        )
    factories.submitted(applicant, factories.tier("t"))
    found = _scrape()
    assert found["weighbridge_verification_bytes_per_second{}"] == 20
    assert found['weighbridge_verification_results{result="verified"}'] == 1
    assert found['weighbridge_verification_results{result="mismatch"}'] == 1
    assert found['weighbridge_events_last_hour{event="application.submit"}'] == 1
    assert found["weighbridge_verification_waiting_blobs{}"] == 1


def test_a_database_that_is_gone_leaves_one_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise OperationalError("the connection was closed")

    # The test's own database must stay, so the test injects the fault.
    monkeypatch.setattr(findings, "lines", fail)
    assert _scrape() == {"weighbridge_database_up{}": 0.0}
