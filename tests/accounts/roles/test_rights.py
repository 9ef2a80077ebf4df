"""How grants, tokens and accounts begin and end."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.api_tokens import token_format
from accounts.api_tokens.models import ApiToken
from accounts.audit.models import AuditEvent
from accounts.errors import AlreadyHeld, InvalidValue
from accounts.grants import break_glass
from accounts.grants.models import Grant
from accounts.grants.queries import tiers_open_to
from accounts.mail.models import OutgoingMail
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.sample_events import SampleEvent

pytestmark = pytest.mark.django_db


@pytest.mark.requirement("TK-2")
def test_a_token_is_stored_as_its_hash_and_found_by_it(applicant: User) -> None:
    token, plain = ApiToken.objects.mint(applicant, name="laptop", scopes=["read-gated"])
    stored = ApiToken.objects.values().get(pk=token.pk)
    assert plain not in str(stored)
    assert stored["digest"] == token_format.digest(plain)
    assert stored["scopes"] == ["read", "read-gated"]


@pytest.mark.requirement("TK-1")
def test_a_mistyped_token_is_recognised_by_its_checksum() -> None:
    plain = token_format.new()
    assert token_format.is_well_formed(plain)
    wrong = plain[:10] + ("a" if plain[10] != "a" else "b") + plain[11:]
    assert not token_format.is_well_formed(wrong)
    assert not token_format.is_well_formed(plain + "\n")


@pytest.mark.requirement("TK-4")
@pytest.mark.parametrize(("scopes", "days"), [(["everything"], 90), (["read"], 0), (["read"], 366)])
def test_a_token_outside_its_bounds_is_not_made(
    scopes: list[str], days: int, applicant: User
) -> None:
    with pytest.raises(InvalidValue):
        ApiToken.objects.mint(applicant, name="x", scopes=scopes, days=days)
    assert not ApiToken.objects.exists()


def test_revoking_twice_leaves_one_event(applicant: User) -> None:
    token, _ = ApiToken.objects.mint(applicant, name="x", scopes=["read"])
    token.revoke(by=applicant)
    token.revoke(by=applicant)
    assert AuditEvent.objects.filter(action="token.revoked").count() == 1


def test_a_grant_that_was_revoked_stays_revoked(applicant: User, gated_tier: Tier) -> None:
    grant = factories.grant(applicant, gated_tier)
    break_glass.revoke(applicant, gated_tier, reason="it leaked")
    again = break_glass.revoke(applicant, gated_tier, reason="it leaked")
    assert again == grant
    assert AuditEvent.objects.filter(action="grant.revoked").count() == 1
    assert OutgoingMail.objects.filter(kind="access_revoked").count() == 1
    assert gated_tier not in tiers_open_to(applicant)


def test_two_grants_for_one_tier_cannot_stand_side_by_side(
    applicant: User, gated_tier: Tier
) -> None:
    factories.grant(applicant, gated_tier)
    with pytest.raises(AlreadyHeld):
        factories.grant(applicant, gated_tier)
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.create(
            user=applicant,
            tier=gated_tier,
            licence_version=factories.in_force(gated_tier),
            origin="break-glass",
            reason="x",
            starts_at=timezone.now(),
            expires_at=timezone.now() + timedelta(days=1),
        )


def test_an_expired_grant_makes_room_for_a_new_one(applicant: User, gated_tier: Tier) -> None:
    old = factories.expired_grant(applicant, gated_tier)
    assert gated_tier not in tiers_open_to(applicant)
    factories.grant(applicant, gated_tier)
    old.refresh_from_db()
    assert old.state == Grant.State.EXPIRED
    assert gated_tier in tiers_open_to(applicant)


def test_the_grant_command_run_again_prints_the_same_id(
    applicant: User, gated_tier: Tier, manage: Callable[..., str]
) -> None:
    command = ("grant", "applicant", "opt-175b", "--reason", "embargoed evaluation")
    first = manage(*command)
    assert manage(*command) == first
    assert Grant.objects.get().public_id.hex == first.strip().replace("-", "")
    assert AuditEvent.objects.filter(action="grant.given").count() == 1


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("grant", "nobody", "opt-175b", "--reason", "r"), "no account 'nobody'"),
        (("grant", "applicant", "opt-176b", "--reason", "r"), "no tier 'opt-176b'"),
        (("grant", "applicant", "opt-175b", "--reason", " "), "enter a reason"),
        (("grant", "applicant", "opt-175b", "--reason", "r", "--days", "0"), "not 0"),
        (("revoke", "applicant", "opt-175b", "--reason", "r"), "nothing to revoke"),
        (("create_token", "applicant", "--scope", "root"), "unknown scope 'root'"),
        (("create_token", "applicant", "--days", "999"), "1 to 365 days"),
        (("create_account", "applicant", "new@example.org"), "is taken"),
        (("create_account", "APPLICANT", "new@example.org"), "is taken"),
        (("create_account", "new", "applicant@example.org"), "another account"),
        (("create_account", "new", "no-address"), "valid email"),
        (("create_account", "new", "n@example.org", "--tier", "opt-175b"), "--tier needs --role"),
    ],
)
def test_a_command_names_the_cause_and_changes_nothing(
    command: tuple[str, ...],
    says: str,
    applicant: User,
    gated_tier: Tier,
    manage: Callable[..., str],
) -> None:
    events = AuditEvent.objects.count()
    with pytest.raises(CommandError, match=says):
        manage(*command)
    assert AuditEvent.objects.count() == events


def test_create_account_confirms_the_address_and_gives_roles(
    gated_tier: Tier, manage: Callable[..., str]
) -> None:
    printed = manage(
        "create_account", "rita", "rita@example.org", "--role", "reviewer", "--tier", "opt-175b"
    )
    rita = User.objects.get(username="rita")
    assert printed == "rita\n"
    assert rita.has_confirmed_address
    assert rita.is_staff
    assert not rita.has_usable_password()
    assert RoleAssignment.objects.get(user=rita).tier == gated_tier
    assert rita.has_perm("accounts.review_application")


def test_taking_the_last_role_takes_the_admin_too(reviewer: User) -> None:
    assignment = RoleAssignment.objects.get(user=reviewer, role=Role.REVIEWER)
    assignment.withdraw(by=None)
    reviewer = User.objects.get(pk=reviewer.pk)
    assert not reviewer.is_staff
    assert not reviewer.has_perm("accounts.review_application")


@pytest.mark.requirement("AU-1")
def test_an_audit_event_cannot_be_changed_or_deleted(applicant: User) -> None:
    event = AuditEvent.record(SampleEvent.TEST, actor=applicant)
    event.action = "test.other"
    for attempt in (
        event.save,
        event.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(action="x"),
    ):
        with pytest.raises(TypeError, match="append-only"):
            attempt()
    assert AuditEvent.objects.get(pk=event.pk).action == "test.event"


def test_a_licence_text_is_frozen(gated_tier: Tier) -> None:
    version = factories.in_force(gated_tier)
    version.text += " And more."
    with pytest.raises(ValueError, match="frozen"):
        version.save()
