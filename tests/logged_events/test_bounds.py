"""What strangers cause is counted, and recorded only up to a limit."""

import json

import pytest

from accounts.api_tokens import token_format
from accounts.audit.models import AuditEvent
from accounts.rate_limits.buckets import Limit
from accounts.users import signals
from tests.logged_events.world import World
from weights.ledger import recording
from weights.ledger.models import Download

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("store"),
    pytest.mark.one_database,
]


def test_refused_anonymous_callers_are_counted_by_rule_and_not_recorded(world: World) -> None:
    for _ in range(5):
        assert world.fetch() == 401
    for _ in range(3):
        assert world.fetch(token_format.new()) == 401
    assert not Download.objects.exists()
    recording.record_counted_refusals()
    recording.record_counted_refusals()
    told = AuditEvent.objects.get(action="gate.strangers_refused")
    assert told.details == {"login_required": 5, "token_invalid": 3}
    assert told.result == "refused"


def test_endless_refusals_of_a_caller_are_counted_instead_of_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A bound made small.
    monkeypatch.setattr(recording, "REFUSALS", Limit("row-refusal", 3, 3600))
    token = world.token("read", "read-gated")
    for _ in range(8):
        assert world.fetch(token) == 403
    assert Download.objects.count() == 3
    recording.record_counted_refusals()
    told = AuditEvent.objects.get(action="gate.refusals_unwritten")
    assert told.details == {"no_application": 5}


def test_failed_sign_ins_are_recorded_up_to_a_limit_and_then_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = AuditEvent.objects.filter(action="account.sign_in_failed").order_by("-pk")
    for quota, window, tries, written in ((2, 3600, 5, 2), (20, 36000, 1, 3)):
        limit = Limit("row-sign-in", quota, window)
        # A bound made small; the second one lets a row through again.
        monkeypatch.setattr(signals, "FAILED_SIGN_INS", limit)
        for _ in range(tries):
            world.sign_in("wrong")
        assert rows.count() == written
    assert rows[0].details == {"unwritten": 3}


def test_a_failed_sign_in_records_the_account_and_never_the_typed_text(world: World) -> None:
    world.sign_in("a wrong password")
    world.client.post(
        "/accounts/login/", {"login": "my password by mistake", "password": "applicant"}
    )
    world.client.post("/accounts/login/", {"login": "applicant@example.org", "password": "x"})
    rows = AuditEvent.objects.filter(action="account.sign_in_failed").order_by("pk")
    assert [row.object_id for row in rows] == [
        *(str(world.applicant.public_id), "", str(world.applicant.public_id))
    ]
    for row in rows:
        assert "mistake" not in json.dumps([row.details, row.object_id, row.credential_id])
