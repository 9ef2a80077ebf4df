"""Lowering a tier's gate waits for a second person, in the admin and in the service."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.change_requests import services as change_requests
from accounts.change_requests.models import ChangeRequest
from accounts.errors import InvalidValue
from accounts.grants.queries import tiers_open_to
from accounts.mail.models import OutgoingMail
from accounts.roles.permissions import Role
from accounts.tiers import services
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Licence, Tier, TierChange
from accounts.users.models import User
from tests.accounts.tiers.test_history import form_of
from tests.support import factories

pytestmark = pytest.mark.django_db

WHY = "The paper is out."


@pytest.mark.slow
@pytest.mark.requirement("AD-7")
def test_one_save_by_one_person_opens_the_gate_to_nobody(
    client: Client, gated_tier: Tier, release_owner: User, second_owner: User
) -> None:
    client.force_login(release_owner)
    page = reverse("admin:accounts_tier_change", args=[gated_tier.pk])
    licence = gated_tier.licence
    data = {**form_of(client, page), "mode": AccessMode.OPEN, "licence": ""}
    client.post(page, data)
    client.post(page, {**data, "opening_reason": WHY})
    gated_tier.refresh_from_db()
    assert (gated_tier.mode, gated_tier.licence) == (AccessMode.REVIEWED, licence)
    assert not tiers_open_to(None).filter(pk=gated_tier.pk).exists()
    request = ChangeRequest.objects.get()
    assert licence is not None
    assert request.requester == release_owner
    assert request.parameters == {"mode": ["reviewed", "open"], "licence": [licence.pk, None]}
    change_requests.confirm(request, by=second_owner, reason="I read the paper.")
    gated_tier.refresh_from_db()
    assert (gated_tier.mode, gated_tier.licence) == (AccessMode.OPEN, None)


def test_the_form_asks_for_a_reason_and_saves_nothing_without_one(
    client: Client, gated_tier: Tier, release_owner: User
) -> None:
    client.force_login(release_owner)
    page = reverse("admin:accounts_tier_change", args=[gated_tier.pk])
    open_terms = {"mode": AccessMode.OPEN, "licence": ""}
    asked = client.post(page, {**form_of(client, page), **open_terms})
    assert asked.status_code == 200
    assert "This lowers the gate of opt-175b (access)" in asked.text
    assert not ChangeRequest.objects.exists()


def test_a_save_that_lowers_and_raises_applies_the_raising_part_at_once(
    gated_tier: Tier, release_owner: User
) -> None:
    gated_tier.mode, gated_tier.approvals_needed = AccessMode.CLICK_THROUGH, 2
    gated_tier.inspected_only = True
    saved = services.save_tier(gated_tier, by=release_owner, reason=WHY)
    assert saved.waiting is not None
    stored = Tier.objects.get(pk=gated_tier.pk)
    assert (stored.mode, stored.approvals_needed, stored.inspected_only) == ("reviewed", 2, True)
    assert saved.change is not None
    assert [one["field"] for one in saved.change.fields] == ["approvals_needed", "inspected_only"]


@pytest.mark.parametrize(
    ("field", "strict", "lax"),
    [
        ("mode", AccessMode.REVIEWED, AccessMode.CLICK_THROUGH),
        ("approvals_needed", 2, 1),
        ("inspected_only", True, False),
        ("term_days", 90, 91),
        ("blocked_countries", ["KP", "SY"], ["KP"]),
    ],
)
def test_each_field_that_lowers_a_gate_waits_and_raising_it_does_not(
    gated_tier: Tier, release_owner: User, second_owner: User, field: str, strict: str, lax: str
) -> None:
    setattr(gated_tier, field, strict)
    services.save_tier(gated_tier, by=release_owner)
    setattr(gated_tier, field, lax)
    waiting = services.save_tier(gated_tier, by=release_owner, reason=WHY).waiting
    assert waiting is not None
    assert getattr(Tier.objects.get(pk=gated_tier.pk), field) == strict
    change_requests.confirm(waiting, by=second_owner, reason="I read the paper.")
    lowered = Tier.objects.get(pk=gated_tier.pk)
    assert getattr(lowered, field) == lax
    setattr(lowered, field, strict)
    assert services.save_tier(lowered, by=release_owner).waiting is None
    assert getattr(Tier.objects.get(pk=gated_tier.pk), field) == strict


@pytest.mark.slow
@pytest.mark.requirement("AD-7")
def test_another_licence_waits_and_the_first_one_does_not(
    client: Client, gated_tier: Tier, open_tier: Tier, release_owner: User, second_owner: User
) -> None:
    before, other = gated_tier.licence, Licence.objects.create(slug="lax", title="Do anything")
    client.force_login(release_owner)
    page = reverse("admin:accounts_tier_change", args=[gated_tier.pk])
    data = {**form_of(client, page), "licence": other.pk, "name": "Renamed"}
    assert "This lowers the gate of opt-175b (licence)" in client.post(page, data).text
    client.post(page, {**data, "opening_reason": WHY})
    gated_tier.refresh_from_db()
    assert (gated_tier.licence, gated_tier.name) == (before, "Renamed")
    request = ChangeRequest.objects.get()
    client.force_login(second_owner)
    assert "Do anything" in client.get(request.path).text
    change_requests.confirm(request, by=second_owner, reason="I read the licence.")
    gated_tier.refresh_from_db()
    assert gated_tier.licence == other
    open_tier.mode, open_tier.licence = AccessMode.REVIEWED, other
    assert services.save_tier(open_tier, by=release_owner).waiting is None


def test_more_excluded_countries_and_a_shorter_term_do_not_wait(
    gated_tier: Tier, release_owner: User
) -> None:
    gated_tier.blocked_countries = "KP,SY,IR"
    gated_tier.term_days = 30
    saved = services.save_tier(gated_tier, by=release_owner)
    assert saved.waiting is None
    stored = Tier.objects.get(pk=gated_tier.pk)
    assert (sorted(stored.excluded_countries), stored.term_days) == (["IR", "KP", "SY"], 30)


def test_the_service_opens_no_request_without_a_reason(
    gated_tier: Tier, release_owner: User
) -> None:
    gated_tier.mode = AccessMode.OPEN
    with pytest.raises(InvalidValue, match="give a reason"):
        services.save_tier(gated_tier, by=release_owner)
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.REVIEWED


def test_a_confirmed_request_is_in_the_history_and_the_trail(
    lowering: ChangeRequest, gated_tier: Tier, second_owner: User
) -> None:
    change_requests.confirm(lowering, by=second_owner, reason="I read the paper.")
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.OPEN
    change = TierChange.objects.get(tier=gated_tier)
    assert [one["after"] for one in change.fields] == ["Open"]
    events = AuditEvent.objects.about(lowering)
    assert [(one.action, one.actor_name, one.details["reason"]) for one in events] == [
        ("change_request.opened", "owner", WHY),
        ("change_request.confirmed", "second", "I read the paper."),
    ]
    assert AuditEvent.objects.about(gated_tier).get().actor_name == "owner"


def test_those_who_may_confirm_are_mailed_and_the_requester_learns_the_outcome(
    lowering: ChangeRequest, second_owner: User, release_owner: User, reviewer: User
) -> None:
    opened = OutgoingMail.objects.filter(kind="change_request_opened")
    assert [mail.recipient for mail in opened] == [second_owner]
    assert lowering.path in opened[0].text
    change_requests.confirm(lowering, by=second_owner, reason="I read the paper.")
    decided = OutgoingMail.objects.get(kind="change_request_decided")
    assert decided.recipient == release_owner
    assert "confirmed" in decided.subject


@pytest.mark.requirement("AD-9")
def test_a_request_for_a_value_that_changed_since_is_superseded(
    lowering: ChangeRequest, gated_tier: Tier, second_owner: User
) -> None:
    Tier.objects.filter(pk=gated_tier.pk).update(mode=AccessMode.CLICK_THROUGH)
    change_requests.confirm(lowering, by=second_owner, reason="I read the paper.")
    lowering.refresh_from_db()
    assert lowering.state == ChangeRequest.State.SUPERSEDED
    assert lowering.outcome == "Access of opt-175b is Click-through by now"
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.CLICK_THROUGH
    assert OutgoingMail.objects.filter(kind="change_request_decided").count() == 1


def test_the_same_change_requested_twice_is_one_request(
    lowering: ChangeRequest, gated_tier: Tier, release_owner: User
) -> None:
    gated_tier.mode = AccessMode.OPEN
    again = services.save_tier(gated_tier, by=release_owner, reason="Another reason.").waiting
    assert again == lowering
    assert ChangeRequest.objects.count() == 1


def test_a_lowering_by_command_is_mailed_to_the_tiers_staff_and_does_not_wait(
    gated_tier: Tier, release_owner: User, reviewer: User
) -> None:
    factories.staff("elsewhere", Role.RELEASE_OWNER, factories.tier("another"))
    gated_tier.mode = AccessMode.OPEN
    assert services.save_tier(gated_tier, by=None).waiting is None
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.OPEN
    mails = OutgoingMail.objects.filter(kind="opened_in_shell")
    assert {mail.recipient for mail in mails} == {release_owner, reviewer}
    assert "it lowered the gate of opt-175b" in mails[0].text


@pytest.mark.requirement("AD-7")
def test_a_single_operator_gives_a_reason_before_a_gate_is_lowered(
    client: Client, gated_tier: Tier, release_owner: User, settings: Settings
) -> None:
    settings.SINGLE_OPERATOR = True
    client.force_login(release_owner)
    page = reverse("admin:accounts_tier_change", args=[gated_tier.pk])
    data = {**form_of(client, page), "mode": "open", "licence": "", "duo_codes": []}
    asked = client.post(page, data).text
    assert "No second person confirms it on this portal" in asked
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.REVIEWED
    client.post(page, {**data, "opening_reason": WHY})
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.OPEN
    assert AuditEvent.objects.about(gated_tier).get().details["reason"] == WHY
    assert not ChangeRequest.objects.exists()


@pytest.mark.requirement("AD-7")
def test_the_service_lowers_no_gate_of_a_single_operator_without_a_reason(
    gated_tier: Tier, release_owner: User, settings: Settings
) -> None:
    settings.SINGLE_OPERATOR = True
    gated_tier.mode = AccessMode.OPEN
    with pytest.raises(InvalidValue, match="give a reason"):
        services.save_tier(gated_tier, by=release_owner)
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.REVIEWED
