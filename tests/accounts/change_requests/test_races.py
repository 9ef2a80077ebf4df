"""Concurrent decisions on separate connections: exactly one takes effect."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.change_requests import services
from accounts.change_requests.models import ChangeRequest
from accounts.mail.models import OutgoingMail
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers import services as tiers
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier, TierChange
from accounts.users.models import User
from tests.support import factories
from tests.support.hurry import at_once

pytestmark = pytest.mark.django_db(transaction=True)

AGREED = "I read the paper."


def read() -> ChangeRequest:
    return ChangeRequest.objects.get()


@pytest.mark.requirement("AD-9")
def test_two_confirmations_at_once_apply_the_change_once(
    lowering: ChangeRequest, gated_tier: Tier, second_owner: User
) -> None:
    third = factories.staff("third", Role.RELEASE_OWNER)
    RoleAssignment.objects.update(created_at=timezone.now() - timedelta(days=1))
    results = at_once(
        lambda: services.confirm(read(), by=second_owner, reason=AGREED),
        lambda: services.confirm(read(), by=third, reason=AGREED),
    )
    assert results == ["bad_transition", "done"]
    assert TierChange.objects.filter(tier=gated_tier).count() == 1
    assert AuditEvent.objects.filter(action="change_request.confirmed").count() == 1
    assert OutgoingMail.objects.filter(kind="change_request_decided").count() == 1


def test_a_confirmation_and_a_withdrawal_at_once_yield_one_of_them(
    lowering: ChangeRequest, gated_tier: Tier, second_owner: User, release_owner: User
) -> None:
    results = at_once(
        lambda: services.confirm(read(), by=second_owner, reason=AGREED),
        lambda: services.withdraw(read(), by=release_owner),
    )
    assert results == ["bad_transition", "done"]
    is_open = Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.OPEN
    assert is_open == (read().state == "confirmed")


def test_a_confirmation_and_the_end_of_its_persons_role_at_once_agree(
    lowering: ChangeRequest, gated_tier: Tier, second_owner: User
) -> None:
    role = RoleAssignment.objects.get(user=second_owner)
    results = at_once(
        lambda: services.confirm(read(), by=second_owner, reason=AGREED),
        lambda: role.withdraw(by=None),
    )
    assert "done" in results
    assert not second_owner.roles.exists()
    is_open = Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.OPEN
    assert is_open == (read().state == "confirmed")
    assert is_open == (results == ["done", "done"])


def test_a_confirmation_and_sweeps_at_its_end_yield_one_outcome(
    lowering: ChangeRequest, gated_tier: Tier, second_owner: User
) -> None:
    ended = timezone.now() + timedelta(days=7, seconds=1)
    results = at_once(
        lambda: services.confirm(read(), by=second_owner, reason=AGREED),
        lambda: services.expire(ended),
        lambda: services.expire(ended),
    )
    assert results.count("done") >= 2
    final = read().state
    assert final in {"confirmed", "expired"}
    assert (Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.OPEN) == (final == "confirmed")
    events = AuditEvent.objects.filter(action__in=["change_request.confirmed", EXPIRED])
    assert events.count() == 1
    assert OutgoingMail.objects.filter(kind="change_request_decided").count() == 1


def test_two_requests_for_one_field_confirmed_at_once_leave_one_superseded(
    lowering: ChangeRequest, gated_tier: Tier, second_owner: User, release_owner: User
) -> None:
    other = Tier.objects.get(pk=gated_tier.pk)
    other.mode = AccessMode.CLICK_THROUGH
    waiting = tiers.save_tier(other, by=release_owner, reason="Half a step first.").waiting
    assert waiting is not None
    third = factories.staff("third", Role.RELEASE_OWNER)
    RoleAssignment.objects.update(created_at=timezone.now() - timedelta(days=1))
    requests = ChangeRequest.objects.in_bulk()
    at_once(
        lambda: services.confirm(requests[lowering.pk], by=second_owner, reason=AGREED),
        lambda: services.confirm(requests[waiting.pk], by=third, reason=AGREED),
    )
    states = sorted(ChangeRequest.objects.values_list("state", flat=True))
    assert states == ["confirmed", "superseded"]
    assert TierChange.objects.filter(tier=gated_tier).count() == 1


EXPIRED = "change_request.expired"
