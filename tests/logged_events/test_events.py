"""Everything that must be logged is (docs/requirements.md, AU-7), by cause.

An item that is named there and in no row here is missing, and so is the trail's.
"""

import json
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator

from accounts.audit.models import AuditEvent
from tests.logged_events import causes
from tests.logged_events.world import NEW, NOTE, Cause, World
from tests.support import factories

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("store"),
    pytest.mark.one_database,
]

#: Event that must be logged -> its cause, the action, and the row's details.
LOGGED: dict[str, tuple[Cause, str, dict[str, object]]] = {
    "sign-in success": (World.sign_in, "account.signed_in", {"methods": ["password"]}),
    "sign-in failure": (lambda w: w.sign_in("wrong"), "account.sign_in_failed", {}),
    "sign-out": (causes.signs_out, "account.signed_out", {}),
    "sign-up": (causes.signs_up, "account.signed_up", {}),
    "factor added": (causes.adds_factor, "factor.added", {"type": "totp"}),
    "factor removed": (causes.removes_factor, "factor.removed", {"type": "totp"}),
    "recovery codes ended": (
        causes.new_recovery_codes,
        "factor.removed",
        {"type": "recovery_codes"},
    ),
    "account elsewhere unlinked": (causes.unlinks, "account.unlinked", {"provider": "github"}),
    "factor failed": (causes.wrong_code, "factor.failed", {}),
    "password changed": (causes.changes_password, "account.password_changed", {}),
    "password reset": (causes.resets_password, "account.password_reset", {}),
    "address added": (causes.adds_address, "account.address_added", {}),
    "address confirmed": (causes.confirms_address, "account.address_confirmed", {}),
    "address changed": (causes.another_primary_address, "account.address_changed", {}),
    "address removed": (causes.removes_address, "account.address_removed", {}),
    "token made": (World.token, "token.made", {"scopes": ["read"]}),
    "token first used": (causes.uses_token_twice, "token.first_used", {}),
    "token first used at the gate": (causes.uses_token_at_the_gate, "token.first_used", {}),
    "token revoked": (causes.revokes_token, "token.revoked", {}),
    "application sent": (World.submitted, "application.submit", {}),
    "application approved": (causes.approves, "application.approve", {"reasons": []}),
    "application rejected": (
        causes.rejects,
        "application.reject",
        {"reasons": ["purpose_unclear"]},
    ),
    "application returned": (
        causes.returns,
        "application.return",
        {"reasons": ["purpose_unclear"]},
    ),
    "application reopened": (causes.reopens, "application.reopen", {}),
    "licence accepted with an application": (
        World.submitted,
        "licence.accepted",
        {"version": "1", "sha256": "[0-9a-f]{64}"},
    ),
    "licence accepted by a click": (
        causes.clicks_through,
        "licence.accepted",
        {"version": "1", "sha256": "[0-9a-f]{64}"},
    ),
    "grant made": (
        causes.approves,
        "grant.given",
        {"origin": "application", "licence": "[0-9a-f]{64}"},
    ),
    "grant expired": (causes.expires, "grant.expired", {}),
    "grant revoked": (causes.revokes, "grant.revoked", {"reason": "It was shared."}),
    "break-glass": (
        causes.gives_outside_a_review,
        "grant.given",
        {"origin": "break-glass", "reason": "The review is down."},
    ),
    "checkpoint link issued": (causes.issues_link, "checkpoint_link.issued", {}),
    "file link issued": (causes.issues_file_link, "file_link.issued", {}),
    "published": (causes.publishes, "revision.published", {"checkpoint": "acme/new"}),
    "verified": (causes.verifies, "blob.verified", {"sha256": "[0-9a-f]{64}"}),
    "made visible": (causes.verifies, "revision.visible", {}),
    "verification failed": (causes.finds_damage, "blob.quarantined", {"reason": ".+"}),
    "doubted by a scrub": (causes.finds_damage_of_what_was_good, "blob.doubted", {"reason": ".+"}),
    "quarantined by hand": (causes.quarantines, "blob.quarantined", {"reason": NOTE}),
    "withdrawn": (causes.withdraws, "revision.withdrawn", {}),
    "setting changed": (causes.changes_a_tier, "tier.changed", {}),
    "licence text added": (causes.adds_a_text, "licence.version_made", {"sha256": "[0-9a-f]{64}"}),
    "role given": (causes.gives_a_role, "role.assigned", {"role": "reviewer"}),
    "role taken": (causes.takes_a_role, "role.withdrawn", {"role": "reviewer"}),
    "export asked": (causes.exports, "export.asked", {}),
    "export made": (causes.exports, "export.made", {}),
    "erasure": (causes.erases, "account.erased", {}),
}


@pytest.mark.parametrize("item", LOGGED)
@pytest.mark.requirement("AU-7", "AU-8")
def test_every_event_of_the_list_is_logged(world: World, item: str) -> None:
    cause, action, details = LOGGED[item]
    before = AuditEvent.objects.filter(action=action).count()
    cause(world)
    rows = AuditEvent.objects.filter(action=action).order_by("pk")[before:]
    assert rows, f"{item}: no row {action}"
    row = rows[0]
    for name, told in details.items():
        if isinstance(told, str):
            assert re.fullmatch(told, str(row.details[name])), row.details
        else:
            assert row.details[name] == told, row.details
    if action not in {"account.sign_in_failed"}:
        assert row.object_kind
        assert row.object_id
    assert_tells_no_secret(row)


def test_a_first_use_is_logged_once(world: World) -> None:
    causes.uses_token_twice(world)
    causes.uses_token_at_the_gate(world)
    events = AuditEvent.objects.filter(action="token.first_used")
    assert events.count() == 2  # of two tokens
    assert {event.actor_id for event in events} == {world.applicant.public_id}


def assert_tells_no_secret(row: AuditEvent) -> None:
    said = json.dumps([row.details, row.object_id, row.credential_id])
    for secret in (
        factories.PASSWORD,
        NEW,
        "JBSWY3DP",
        "@example.org",
        "@uni.example",
        "wb_",
        "hf_",
    ):
        assert secret not in said, row
    assert "/d/" not in said
    assert "&s=" not in said


@pytest.mark.parametrize(
    ("cause", "action"),
    [(causes.changes_password, "account.password_changed"), (causes.adds_factor, "factor.added")],
)
def test_a_change_of_an_account_without_its_row_does_not_happen(
    world: World, monkeypatch: pytest.MonkeyPatch, cause: Cause, action: str
) -> None:
    original = AuditEvent.record.__func__  # type: ignore[attr-defined]

    def record(cls: type[AuditEvent], name: str, /, **facts: Any) -> AuditEvent:
        if name == action:
            raise RuntimeError("the process dies here")
        made: AuditEvent = original(cls, name, **facts)
        return made

    # A death between the change and its row, which no signal could time so well.
    monkeypatch.setattr(AuditEvent, "record", classmethod(record))
    world.client.raise_request_exception = False
    cause(world)
    world.applicant.refresh_from_db()
    assert world.applicant.check_password(factories.PASSWORD)
    assert not Authenticator.objects.exists()
