"""The rule of the second person: who may confirm, and who may not."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.change_requests import eligibility, services
from accounts.change_requests.models import ChangeRequest
from accounts.errors import LimitReached, NotAllowed, TransitionRefused
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.roles.services import give_role, give_role_in_shell
from accounts.tiers import services as tiers
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.django_db

AGREED = "I read the paper."


def test_the_requester_does_not_confirm_their_own_request(
    lowering: ChangeRequest, release_owner: User, gated_tier: Tier
) -> None:
    with pytest.raises(NotAllowed, match="you opened this request"):
        services.confirm(lowering, by=release_owner, reason=AGREED)
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.REVIEWED
    with transaction.atomic(), pytest.raises(IntegrityError):
        ChangeRequest.objects.update(state="confirmed", decided_by=release_owner)


def _reviewer(tier: Tier, requester: User) -> User:
    return factories.staff("person", Role.REVIEWER)


def _auditor(tier: Tier, requester: User) -> User:
    return factories.staff("person", Role.AUDITOR)


def _elsewhere(tier: Tier, requester: User) -> User:
    return factories.staff("person", Role.RELEASE_OWNER, factories.tier("another"))


def _superuser(tier: Tier, requester: User) -> User:
    return factories.person("person", is_superuser=True, is_staff=True)


def _suspended(tier: Tier, requester: User) -> User:
    person = factories.staff("person", Role.RELEASE_OWNER)
    person.suspended_at = timezone.now()
    person.save()
    return person


def _assigned_alone(tier: Tier, requester: User) -> User:
    person = factories.person("person")
    RoleAssignment.objects.assign(person, Role.RELEASE_OWNER, by=requester)
    return person


def _password_set(tier: Tier, requester: User) -> User:
    person = factories.staff("person", Role.RELEASE_OWNER)
    AuditEvent.record(AccountsEvent.ACCOUNT_PASSWORD_SET, actor=requester, target=person)
    return person


@pytest.mark.requirement("AD-8")
@pytest.mark.parametrize(
    "make",
    [_reviewer, _auditor, _elsewhere, _superuser, _suspended, _assigned_alone, _password_set],
)
def test_a_person_without_a_lasting_role_of_their_own_confirms_nothing(
    gated_tier: Tier, release_owner: User, make: Callable[[Tier, User], User]
) -> None:
    person = make(gated_tier, release_owner)
    request = _lowering(gated_tier, release_owner)
    with pytest.raises(NotAllowed):
        services.confirm(request, by=person, reason=AGREED)
    with pytest.raises(NotAllowed):
        services.decline(request, by=person, reason=AGREED)
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.REVIEWED
    assert person not in eligibility.confirmers_of(request)


def test_without_a_second_factor_nobody_confirms_beyond_loopback(
    lowering: ChangeRequest, second_owner: User, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://weights.example.org"
    with pytest.raises(NotAllowed, match="second factor"):
        services.confirm(lowering, by=second_owner, reason=AGREED)


def test_a_role_given_after_the_request_does_not_count(
    lowering: ChangeRequest, gated_tier: Tier
) -> None:
    late = factories.staff("late", Role.RELEASE_OWNER)
    with pytest.raises(NotAllowed, match="before the request"):
        services.confirm(lowering, by=late, reason=AGREED)


def test_a_role_that_ended_before_the_confirmation_does_not_count(
    lowering: ChangeRequest, second_owner: User, gated_tier: Tier
) -> None:
    RoleAssignment.objects.get(user=second_owner).withdraw(by=None)
    with pytest.raises(NotAllowed):
        services.confirm(lowering, by=User.objects.get(pk=second_owner.pk), reason=AGREED)
    RoleAssignment.objects.assign(second_owner, Role.RELEASE_OWNER)
    with pytest.raises(NotAllowed):  # the assignment is a new one
        services.confirm(lowering, by=User.objects.get(pk=second_owner.pk), reason=AGREED)
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.REVIEWED


def test_a_request_whose_requester_lost_the_role_is_superseded(
    lowering: ChangeRequest, second_owner: User, release_owner: User, gated_tier: Tier
) -> None:
    RoleAssignment.objects.get(user=release_owner).withdraw(by=None)
    request = ChangeRequest.objects.get()
    services.confirm(request, by=second_owner, reason=AGREED)
    assert request.state == ChangeRequest.State.SUPERSEDED
    assert "no longer has the role" in request.outcome
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.REVIEWED


def test_a_declined_a_withdrawn_and_an_expired_request_change_nothing_and_stay_so(
    gated_tier: Tier, release_owner: User, second_owner: User
) -> None:
    def expire(request: ChangeRequest) -> None:
        assert services.expire(timezone.now() + timedelta(days=8)) == 1

    closings: dict[str, Callable[[ChangeRequest], None]] = {
        "declined": lambda one: services.decline(one, by=second_owner, reason="Not yet."),
        "withdrawn": lambda one: services.withdraw(one, by=release_owner),
        "expired": expire,
    }
    for state, close in closings.items():
        request = _lowering(gated_tier, release_owner)
        close(request)
        request.refresh_from_db()
        assert request.state == state
        with pytest.raises(TransitionRefused, match=state):
            services.confirm(request, by=second_owner, reason=AGREED)
        tag = f"change_request.{state}"
        assert AuditEvent.objects.about(request).filter(action=tag).count() == 1
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.REVIEWED


@pytest.mark.requirement("AD-9")
def test_a_request_is_not_confirmed_after_seven_days_even_if_no_sweep_ran(
    lowering: ChangeRequest, second_owner: User
) -> None:
    ended = timezone.now() - timedelta(seconds=1)
    ChangeRequest.objects.update(expires_at=ended, created_at=ended - timedelta(days=7))
    RoleAssignment.objects.update(created_at=ended - timedelta(days=30))
    with pytest.raises(TransitionRefused, match="seven days have passed"):
        services.confirm(ChangeRequest.objects.get(), by=second_owner, reason=AGREED)


def test_a_person_has_at_most_thirty_requests_waiting(
    client: Client, administrator: User, applicant: User
) -> None:
    for number in range(services.MOST_WAITING):
        tier = factories.tier(f"tier-{number}")
        give_role(applicant, Role.REVIEWER, tier, by=administrator, reason="A new reviewer.")
    with pytest.raises(LimitReached, match="withdraw some"):
        give_role(applicant, Role.REVIEWER, by=administrator, reason="A new reviewer.")
    client.force_login(administrator)
    role = {"user": applicant.pk, "role": "reviewer", "opening_reason": "A new reviewer."}
    page = client.post("/admin/accounts/roleassignment/add/", role, follow=True)
    assert "Nothing was saved: 30 of your requests wait already" in page.text
    services.withdraw(ChangeRequest.objects.all()[0], by=administrator)
    give_role(applicant, Role.REVIEWER, by=administrator, reason="A new reviewer.")
    assert ChangeRequest.objects.waiting().count() == services.MOST_WAITING


# -- two people who are independent -------------------------------------------------------------


def test_nobody_confirms_for_a_person_whose_role_they_gave_alone(
    gated_tier: Tier, administrator: User
) -> None:
    puppet = _assigned_alone(gated_tier, administrator)
    request = _lowering(gated_tier, User.objects.get(pk=puppet.pk))
    with pytest.raises(NotAllowed, match="one person alone assigned"):
        services.confirm(request, by=administrator, reason=AGREED)
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.REVIEWED


@pytest.mark.requirement("AD-8")
def test_two_people_whose_roles_one_person_gave_alone_open_nothing_together(
    gated_tier: Tier, administrator: User, second_owner: User
) -> None:
    first = _assigned_alone(gated_tier, administrator)
    other = factories.person("other")
    RoleAssignment.objects.assign(other, Role.RELEASE_OWNER, by=administrator)
    request = _lowering(gated_tier, User.objects.get(pk=first.pk))
    with pytest.raises(NotAllowed, match="give_role"):
        services.confirm(request, by=User.objects.get(pk=other.pk), reason=AGREED)
    assert eligibility.confirmers_of(request) == [second_owner]


@pytest.mark.requirement("AD-11")
def test_a_person_whose_password_somebody_set_requests_nothing_until_a_reset_by_mail(
    gated_tier: Tier, release_owner: User, administrator: User
) -> None:
    AuditEvent.record(AccountsEvent.ACCOUNT_PASSWORD_SET, actor=administrator, target=release_owner)
    with pytest.raises(NotAllowed, match="reset it by mail"):
        _lowering(gated_tier, release_owner)
    AuditEvent.record(
        AccountsEvent.ACCOUNT_PASSWORD_RESET, actor=release_owner, target=release_owner
    )
    assert _lowering(gated_tier, release_owner).is_waiting


@pytest.mark.requirement("AD-11")
def test_a_person_whose_password_a_third_one_set_confirms_nothing(
    lowering: ChangeRequest, second_owner: User, administrator: User
) -> None:
    AuditEvent.record(AccountsEvent.ACCOUNT_PASSWORD_SET, actor=administrator, target=second_owner)
    with pytest.raises(NotAllowed, match="reset it by mail"):
        services.confirm(lowering, by=second_owner, reason=AGREED)


def test_only_the_requester_withdraws(lowering: ChangeRequest, second_owner: User) -> None:
    with pytest.raises(NotAllowed):
        services.withdraw(lowering, by=second_owner)
    assert lowering.is_waiting


# -- giving a role ---------------------------------------------------------------------------


def test_a_role_waits_for_a_second_person_who_is_not_its_holder(
    administrator: User, applicant: User
) -> None:
    second = factories.staff("second", Role.ADMINISTRATOR)
    request = give_role(
        applicant, Role.LEAD_REVIEWER, by=administrator, reason="She leads the reviews."
    )
    assert isinstance(request, ChangeRequest)
    assert not applicant.roles.exists()
    services.confirm(request, by=second, reason="Agreed by mail.")
    held = applicant.roles.get()
    assert (held.role, held.assigned_by, held.confirmed_by) == (
        "lead-reviewer",
        administrator,
        second,
    )


def test_nobody_confirms_a_role_of_their_own(administrator: User) -> None:
    lead = factories.staff("lead", Role.LEAD_REVIEWER)
    request = give_role(lead, Role.ADMINISTRATOR, by=administrator, reason="He asked for it.")
    assert isinstance(request, ChangeRequest)
    with pytest.raises(NotAllowed, match="you gain by this request"):
        services.confirm(request, by=lead, reason=AGREED)


def test_a_role_for_every_tier_takes_a_second_person_of_every_tier(
    administrator: User, applicant: User, gated_tier: Tier
) -> None:
    local = factories.staff("local", Role.ADMINISTRATOR, gated_tier)
    everywhere = give_role(applicant, Role.REVIEWER, by=administrator, reason="A new reviewer.")
    own = give_role(
        applicant, Role.REVIEWER, gated_tier, by=administrator, reason="A new reviewer."
    )
    assert isinstance(everywhere, ChangeRequest)
    assert isinstance(own, ChangeRequest)
    with pytest.raises(NotAllowed, match="every tier"):
        services.confirm(everywhere, by=local, reason=AGREED)
    services.confirm(own, by=local, reason=AGREED)
    assert [one.tier for one in applicant.roles.all()] == [gated_tier]


def test_a_role_confirmed_by_a_second_person_counts_against_its_assigner(
    administrator: User, applicant: User, gated_tier: Tier
) -> None:
    second = factories.staff("second", Role.ADMINISTRATOR)
    request = give_role(applicant, Role.ADMINISTRATOR, by=administrator, reason="A third one.")
    assert isinstance(request, ChangeRequest)
    services.confirm(request, by=second, reason=AGREED)
    lowering = _lowering(gated_tier, administrator)
    third = User.objects.get(pk=applicant.pk)
    services.confirm(lowering, by=third, reason=AGREED)
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.OPEN


def test_a_command_vouches_for_a_role_that_one_person_assigned_alone(
    administrator: User, gated_tier: Tier
) -> None:
    person = _assigned_alone(gated_tier, administrator)
    assert "did not assign alone" in eligibility.reason_against(
        person, _lowering(gated_tier, administrator)
    )
    ChangeRequest.objects.all().delete()
    give_role_in_shell(person, Role.RELEASE_OWNER)
    request = _lowering(gated_tier, administrator)
    assert eligibility.reason_against(person, request) == ""


def _lowering(tier: Tier, by: User) -> ChangeRequest:
    """A request of `by` to open the tier."""
    tier.mode = AccessMode.OPEN
    waiting = tiers.save_tier(tier, by=by, reason="The paper is out.").waiting
    assert waiting is not None
    return waiting
