"""Download plans query the gate's facts and rules once for all files of a revision."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights import gate
from weights.delivery.download_plan import download_plan
from weights.errors import GateRefused
from weights.gate.caller import ANONYMOUS, Caller, session_caller
from weights.publishing.models import File
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

REPO = "acme/gated"
Count = Callable[..., Any]


@pytest.fixture
def many(store: Path, gated_tier: Tier) -> None:
    """A gated checkpoint of 992 files that share one blob."""
    revision = factories.published(REPO, gated_tier, {"shard-0.pt": b"\0pt"})
    blob = revision.files.get().blob
    File.objects.bulk_create(
        File(revision=revision, path=f"shard-{n}.pt", blob=blob, lfs=True, git_oid="0" * 40)
        for n in range(1, 992)
    )


@pytest.fixture
def holder(applicant: User, gated_tier: Tier) -> Caller:
    factories.grant(applicant, gated_tier)
    return session_caller(applicant)


@pytest.mark.usefixtures("many")
def test_a_plan_of_992_files_is_the_gates_statement_the_files_and_the_audit_event(
    holder: Caller, django_assert_num_queries: Count
) -> None:
    with django_assert_num_queries(3):
        plan = download_plan(holder, REPO, "main", 1, timezone.now())
    assert len(plan.files) == 992
    assert plan.seconds == plan.total_bytes == 992 * 3


@pytest.mark.usefixtures("many")
def test_an_anonymous_caller_is_refused_by_the_statement_and_others_by_one_lookup(
    other_person: User, django_assert_num_queries: Count
) -> None:
    with django_assert_num_queries(1), pytest.raises(GateRefused) as refused:
        download_plan(ANONYMOUS, REPO, "main", None, timezone.now())
    assert refused.value.code == "login_required"
    with django_assert_num_queries(2), pytest.raises(GateRefused) as refused:
        download_plan(session_caller(other_person), REPO, "main", None, timezone.now())
    assert refused.value.code == "no_application"


@pytest.mark.parametrize("state", Blob.State)
def test_a_plan_gives_an_address_for_exactly_the_files_that_the_gate_gives(
    store: Path, gated_tier: Tier, holder: Caller, state: str
) -> None:
    revision = factories.published(REPO, gated_tier)
    config = revision.files.get(path="config.json")
    Blob.objects.filter(pk=config.blob_id).update(state=state)
    now = timezone.now()
    for entry in download_plan(holder, REPO, "main", None, now).files:
        decision = gate.decide(holder, REPO, "main", entry["path"], now)
        assert (entry["url"] is not None) is decision.allowed
        assert entry.get("code") == decision.code
