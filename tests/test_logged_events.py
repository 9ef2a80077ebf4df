"""Everything that must be logged is (docs/requirements.md, AU-7), by what causes it.

An item that is named there and in no row here is missing, and so is the trail's.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.utils import timezone

from accounts import account_events, applications, break_glass, erasure, tier_changes, token_format
from accounts.models import (
    ApiToken,
    Application,
    AuditEvent,
    Grant,
    LicenceVersion,
    OutgoingMail,
    RoleAssignment,
    Tier,
    User,
)
from accounts.rate_limits import Limit
from accounts.roles import Role
from accounts.tiers import AccessMode
from tests import factories
from weights import export, publishing, quarantine, verification, withdrawal
from weights.caller import session_caller
from weights.delivery import file_links, ledger, links
from weights.models import Blob, Download, Revision
from weights.storage import blob_storage

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

NEW = "another suite password 2"
REPO, PATH = "acme/gated", "model.safetensors"
NOTE = "This is a note of more than twenty characters."


@dataclass
class World:
    """Who and what the causes below act on."""

    client: Client
    folder: Path
    applicant: User
    reviewer: User
    lead: User
    owner: User
    administrator: User
    tier: Tier
    revision: Revision

    def sign_in(self, password: str = factories.PASSWORD) -> None:
        self.client.post("/accounts/login/", {"login": "applicant", "password": password})

    def submitted(self) -> Application:
        return factories.submitted(self.applicant, self.tier)

    def granted(self) -> Grant:
        return factories.grant(self.applicant, self.tier)

    def token(self, *scopes: str) -> str:
        return factories.token(self.applicant, *scopes)

    def fetch(self, token: str = "", **headers: str) -> int:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        response = self.client.get(f"/{REPO}/resolve/main/{PATH}", headers=headers)
        if response.streaming:
            b"".join(response.streaming_content)  # type: ignore[attr-defined]
        return response.status_code

    @property
    def blob(self) -> Blob:
        return self.revision.files.get(path=PATH).blob


@pytest.fixture
def world(
    client: Client,
    tmp_path: Path,
    applicant: User,
    reviewer: User,
    lead_reviewer: User,
    release_owner: User,
    administrator: User,
    gated_tier: Tier,
) -> World:
    return World(
        client,
        tmp_path,
        applicant,
        reviewer,
        lead_reviewer,
        release_owner,
        administrator,
        gated_tier,
        factories.published(REPO, gated_tier),
    )


# -- causes -----------------------------------------------------------------------------


def signs_out(world: World) -> None:
    world.sign_in()
    world.client.post("/accounts/logout/")


def closes_the_file(world: World) -> None:
    world.granted()
    quarantines(world)


def adds_factor(world: World) -> None:
    world.sign_in()
    world.client.post("/accounts/reauthenticate/", {"password": factories.PASSWORD})
    world.client.get("/accounts/2fa/totp/activate/")
    secret = world.client.session[totp.SECRET_SESSION_KEY]
    counter = next(totp.yield_hotp_counters_from_time())
    code = totp.format_hotp_value(totp.hotp_value(secret, counter))
    world.client.post("/accounts/2fa/totp/activate/", {"code": code})


def removes_factor(world: World) -> None:
    adds_factor(world)
    world.client.post("/accounts/2fa/totp/deactivate/")


def new_recovery_codes(world: World) -> None:
    adds_factor(world)
    world.client.post("/accounts/2fa/recovery-codes/generate/")


def wrong_code(world: World) -> None:
    totp.TOTP.activate(world.applicant, totp.generate_totp_secret())
    world.sign_in()
    world.client.post("/accounts/2fa/authenticate/", {"code": "000000"})


def changes_password(world: World) -> None:
    world.sign_in()
    typed = {"oldpassword": factories.PASSWORD, "password1": NEW, "password2": NEW}
    world.client.post("/accounts/password/change/", typed)


def resets_password(world: World) -> None:
    world.client.post("/accounts/password/reset/", {"email": world.applicant.email})
    text = OutgoingMail.objects.get(to=world.applicant.email).text
    path = re.search(r"/accounts/password/reset/key/\S+", text)
    assert path is not None
    page = world.client.get(path[0], follow=True)
    where = page.redirect_chain[-1][0]
    world.client.post(where, {"password1": NEW, "password2": NEW})


def adds_address(world: World) -> None:
    world.sign_in()
    world.client.post("/accounts/email/", {"action_add": "", "email": "second@example.org"})


def removes_address(world: World) -> None:
    EmailAddress.objects.create(user=world.applicant, email="second@example.org", verified=True)
    world.sign_in()
    world.client.post("/accounts/email/", {"action_remove": "", "email": "second@example.org"})


def another_primary_address(world: World) -> None:
    EmailAddress.objects.create(user=world.applicant, email="second@example.org", verified=True)
    world.sign_in()
    world.client.post("/accounts/email/", {"action_primary": "", "email": "second@example.org"})


def signs_up(world: World) -> None:
    typed = {"username": "grace", "email": "grace@uni.example", "password1": NEW, "password2": NEW}
    world.client.post("/accounts/signup/", typed)


def confirms_address(world: World) -> None:
    signs_up(world)
    text = OutgoingMail.objects.get(to="grace@uni.example").text
    found = re.search(r"/accounts/confirm-email/\S+", text)
    assert found is not None
    world.client.post(found[0])


def unlinks(world: World) -> None:
    SocialAccount.objects.create(user=world.applicant, provider="github", uid="1").delete()


def revokes_token(world: World) -> None:
    world.token()
    ApiToken.objects.get().revoke(by=world.applicant)


def uses_token_twice(world: World) -> None:
    token = world.token()
    for _ in range(2):
        world.client.get("/api/whoami-v2", headers={"Authorization": f"Bearer {token}"})


def uses_token_at_the_gate(world: World) -> None:
    world.fetch(world.token())


def approves(world: World) -> None:
    world.submitted().approve(by=world.reviewer)


def rejects(world: World) -> None:
    world.submitted().reject(by=world.reviewer, reasons=["purpose_unclear"], note=NOTE)


def returns(world: World) -> None:
    factories.returned(world.applicant, world.tier, world.reviewer)


def reopens(world: World) -> None:
    rejects(world)
    Application.objects.reopen(world.applicant, world.tier, by=world.lead, reason="An appeal.")


def clicks_through(world: World) -> None:
    tier = factories.tier("click", AccessMode.CLICK_THROUGH)
    sha256 = factories.in_force(tier).text_sha256
    applications.accept_licence(world.applicant, tier, licence_sha256=sha256)


def expires(world: World) -> None:
    factories.expired_grant(world.applicant, world.tier)
    Grant.objects.expire_due()


def revokes(world: World) -> None:
    world.granted().revoke(by=world.lead, reason="It was shared.")


def gives_outside_a_review(world: World) -> None:
    break_glass.give(world.applicant, world.tier, days=7, reason="The review is down.")


def issues_link(world: World) -> None:
    world.granted()
    links.issue_now(world.applicant, REPO, 24)


def issues_file_link(world: World) -> None:
    world.granted()
    file_links.issue(session_caller(world.applicant), REPO, "main", PATH)


def publishes(world: World) -> None:
    folder = world.folder / "published"
    folder.mkdir()
    (folder / "config.json").write_bytes(b"{}\n")
    publishing.publish(folder, "acme/new", tier=world.tier.slug)


def verifies(world: World) -> None:
    publishes(world)
    for blob in Blob.objects.filter(state=Blob.State.UPLOADED):
        verification.verify(blob.pk)


def finds_damage(world: World) -> None:
    path = blob_storage().local_path(world.blob.sha256)
    assert path is not None
    path.chmod(0o600)
    path.write_bytes(b"x" * world.blob.size)
    Blob.objects.filter(pk=world.blob.pk).update(check_due_at=timezone.now())
    verification.verify(world.blob.pk)


def finds_damage_of_what_was_good(world: World) -> None:
    Blob.objects.filter(pk=world.blob.pk).update(last_verified_at=timezone.now())
    finds_damage(world)


def quarantines(world: World) -> None:
    quarantine.hold(world.blob, NOTE, by=world.owner, recall=False)


def withdraws(world: World) -> None:
    withdrawal.withdraw(world.revision, NOTE, by=world.owner)


def changes_a_tier(world: World) -> None:
    world.tier.term_days = 7
    tier_changes.keep(world.tier, by=world.owner)


def adds_a_text(world: World) -> None:
    version = LicenceVersion.objects.create(
        licence=world.tier.licence, version="2", text="# New\n", effective_at=timezone.now()
    )
    tier_changes.note_text(version, by=world.owner)


def gives_a_role(world: World) -> None:
    RoleAssignment.objects.assign(world.applicant, Role.REVIEWER, by=world.administrator)


def takes_a_role(world: World) -> None:
    RoleAssignment.objects.get(user=world.reviewer).withdraw(by=world.administrator)


def exports(world: World) -> None:
    export.make(export.ask(world.applicant).pk)


def erases(world: World) -> None:
    erasure.erase(world.applicant, by=world.applicant)


Cause = Callable[[World], object]
#: What must be logged -> what causes it, the action, and what the row's details tell.
LOGGED: dict[str, tuple[Cause, str, dict[str, object]]] = {
    "sign-in success": (World.sign_in, "account.signed_in", {"methods": ["password"]}),
    "sign-in failure": (lambda w: w.sign_in("wrong"), "account.sign_in_failed", {}),
    "sign-out": (signs_out, "account.signed_out", {}),
    "sign-up": (signs_up, "account.signed_up", {}),
    "factor added": (adds_factor, "factor.added", {"type": "totp"}),
    "factor removed": (removes_factor, "factor.removed", {"type": "totp"}),
    "recovery codes ended": (new_recovery_codes, "factor.removed", {"type": "recovery_codes"}),
    "account elsewhere unlinked": (unlinks, "account.unlinked", {"provider": "github"}),
    "factor failed": (wrong_code, "factor.failed", {}),
    "password changed": (changes_password, "account.password_changed", {}),
    "password reset": (resets_password, "account.password_reset", {}),
    "address added": (adds_address, "account.address_added", {}),
    "address confirmed": (confirms_address, "account.address_confirmed", {}),
    "address changed": (another_primary_address, "account.address_changed", {}),
    "address removed": (removes_address, "account.address_removed", {}),
    "token made": (World.token, "token.made", {"scopes": ["read"]}),
    "token first used": (uses_token_twice, "token.first_used", {}),
    "token first used at the gate": (uses_token_at_the_gate, "token.first_used", {}),
    "token revoked": (revokes_token, "token.revoked", {}),
    "application sent": (World.submitted, "application.submit", {}),
    "application approved": (approves, "application.approve", {"reasons": []}),
    "application rejected": (rejects, "application.reject", {"reasons": ["purpose_unclear"]}),
    "application returned": (returns, "application.return", {"reasons": ["purpose_unclear"]}),
    "application reopened": (reopens, "application.reopen", {}),
    "licence accepted with an application": (
        World.submitted,
        "licence.accepted",
        {"version": "1", "sha256": "[0-9a-f]{64}"},
    ),
    "licence accepted by a click": (
        clicks_through,
        "licence.accepted",
        {"version": "1", "sha256": "[0-9a-f]{64}"},
    ),
    "grant made": (approves, "grant.given", {"origin": "application", "licence": "[0-9a-f]{64}"}),
    "grant expired": (expires, "grant.expired", {}),
    "grant revoked": (revokes, "grant.revoked", {"reason": "It was shared."}),
    "break-glass": (
        gives_outside_a_review,
        "grant.given",
        {"origin": "break-glass", "reason": "The review is down."},
    ),
    "checkpoint link issued": (issues_link, "checkpoint_link.issued", {}),
    "file link issued": (issues_file_link, "file_link.issued", {}),
    "published": (publishes, "revision.published", {"checkpoint": "acme/new"}),
    "verified": (verifies, "blob.verified", {"sha256": "[0-9a-f]{64}"}),
    "made visible": (verifies, "revision.visible", {}),
    "verification failed": (finds_damage, "blob.quarantined", {"reason": ".+"}),
    "doubted by a scrub": (finds_damage_of_what_was_good, "blob.doubted", {"reason": ".+"}),
    "quarantined by hand": (quarantines, "blob.quarantined", {"reason": NOTE}),
    "withdrawn": (withdraws, "revision.withdrawn", {}),
    "setting changed": (changes_a_tier, "tier.changed", {}),
    "licence text added": (adds_a_text, "licence.version_made", {"sha256": "[0-9a-f]{64}"}),
    "role given": (gives_a_role, "role.assigned", {"role": "reviewer"}),
    "role taken": (takes_a_role, "role.withdrawn", {"role": "reviewer"}),
    "export asked": (exports, "export.asked", {}),
    "export made": (exports, "export.made", {}),
    "erasure": (erases, "account.erased", {}),
}


@pytest.mark.parametrize("item", LOGGED)
@pytest.mark.requirement("AU-7", "AU-8")
def test_what_must_be_logged_is(world: World, item: str) -> None:
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
    uses_token_twice(world)
    uses_token_at_the_gate(world)
    events = AuditEvent.objects.filter(action="token.first_used")
    assert events.count() == 2  # of two tokens
    assert {event.actor_id for event in events} == {world.applicant.public_id}


def assert_tells_no_secret(row: AuditEvent) -> None:
    said = json.dumps([row.details, row.object_id, row.credential_id])
    for secret in (factories.PASSWORD, NEW, "JBSWY3DP", "@example.org", "@uni.example", "wb_"):
        assert secret not in said, row
    assert "/d/" not in said
    assert "&s=" not in said


# -- the ledger -------------------------------------------------------------------------


def test_a_link_that_was_used_is_logged_with_file_bytes_range_and_result(world: World) -> None:
    world.granted()
    address = file_links.issue(session_caller(world.applicant), REPO, "main", PATH)
    response = world.client.get(address, headers={"Range": "bytes=10-19"})
    assert response.status_code == 206
    b"".join(response.streaming_content)  # type: ignore[attr-defined]
    row = Download.objects.get()
    assert (row.path, row.start, row.length, row.outcome) == (PATH, 10, 10, "served")
    assert row.credential_kind
    assert row.user_id == world.applicant.pk


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (lambda world: None, "no_application"),
        (World.submitted, "in_review"),
        (rejects, "rejected"),
        (lambda world: factories.expired_grant(world.applicant, world.tier), "grant_expired"),
        (revokes, "revoked"),
        (closes_the_file, "file_quarantined"),
    ],
)
def test_a_refusal_of_a_known_caller_is_logged_with_its_rule(
    world: World, cause: Cause, code: str
) -> None:
    cause(world)
    assert world.fetch(world.token("read", "read-gated")) == 403
    row = Download.objects.get()
    assert (row.outcome, row.code, row.path) == ("refused", code, PATH)


# -- bounds -----------------------------------------------------------------------------


def test_strangers_who_are_refused_are_counted_by_rule_and_not_written(world: World) -> None:
    for _ in range(5):
        assert world.fetch() == 401
    for _ in range(3):
        assert world.fetch(token_format.new()) == 401
    assert not Download.objects.exists()
    ledger.tell_refusals()
    ledger.tell_refusals()
    told = AuditEvent.objects.get(action="gate.strangers_refused")
    assert told.details == {"login_required": 5, "token_invalid": 3}
    assert told.result == "refused"


def test_who_is_refused_without_end_is_counted_from_some_row_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A bound made small.
    monkeypatch.setattr(ledger, "REFUSALS", Limit("row-refusal", 3, 3600))
    token = world.token("read", "read-gated")
    for _ in range(8):
        assert world.fetch(token) == 403
    assert Download.objects.count() == 3
    ledger.tell_refusals()
    told = AuditEvent.objects.get(action="gate.refusals_unwritten")
    assert told.details == {"no_application": 5}


def test_failed_sign_ins_are_written_up_to_a_bound_and_then_told_as_a_number(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = AuditEvent.objects.filter(action="account.sign_in_failed").order_by("-pk")
    for quota, window, tries, written in ((2, 3600, 5, 2), (20, 36000, 1, 3)):
        limit = Limit("row-sign-in", quota, window)
        # A bound made small; the second one lets a row through again.
        monkeypatch.setattr(account_events, "FAILED_SIGN_INS", limit)
        for _ in range(tries):
            world.sign_in("wrong")
        assert rows.count() == written
    assert rows[0].details == {"unwritten": 3}


def test_a_failed_sign_in_tells_the_account_and_never_what_was_typed(world: World) -> None:
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


# -- one transaction --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "action"),
    [(changes_password, "account.password_changed"), (adds_factor, "factor.added")],
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
