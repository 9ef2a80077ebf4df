"""Opening a checkpoint to more people, or earlier, waits for a second person."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.audit.sentences import sentence
from accounts.change_requests import services
from accounts.change_requests.models import ChangeRequest
from accounts.errors import NotAllowed
from accounts.grants.models import Grant
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers import services as services_of_tiers
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.tiers.test_history import form_of
from tests.support import factories
from weights.catalogue import checkpoint_tiers
from weights.catalogue.models import Checkpoint

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

WHY, AGREED = "The paper is out.", "I read the paper."
FILE = "/acme/weights/resolve/main/config.json"


@pytest.fixture(autouse=True)
def _two_operators(settings: Settings) -> None:
    settings.SINGLE_OPERATOR = False


@pytest.fixture
def second_owner(db: None) -> User:
    return factories.staff("second", Role.RELEASE_OWNER)


def _stored() -> Checkpoint:
    return Checkpoint.objects.select_related("tier").get(name="weights")


def _save(by: User, **changes: Any) -> ChangeRequest | None:
    checkpoint = _stored()
    for name, value in changes.items():
        setattr(checkpoint, name, value)
    return checkpoint_tiers.save_checkpoint(checkpoint, by=by, reason=WHY)


@pytest.mark.slow
@pytest.mark.requirement("AD-7")
def test_one_save_by_one_person_gives_a_gated_checkpoint_to_nobody(
    client: Client, gated_tier: Tier, open_tier: Tier, release_owner: User, second_owner: User
) -> None:
    factories.published("acme/weights", gated_tier)
    client.force_login(release_owner)
    page = reverse("admin:weights_checkpoint_change", args=[_stored().pk])
    data = {**form_of(client, page), "tier": open_tier.pk, "facts": "{}"}
    assert "This widens access to acme/weights (the tier)" in client.post(page, data).text
    saved = client.post(page, {**data, "title": "New", "opening_reason": WHY}, follow=True)
    assert _stored().tier == gated_tier
    assert _stored().title == "New"
    assert Client().get(FILE).status_code == 401
    request = ChangeRequest.objects.get()
    assert request.path in saved.text
    client.force_login(second_owner)
    shown = client.get(request.path).text
    assert "Move acme/weights from opt-175b to open" in shown
    client.post(request.path, {"move": "confirm", "confirm-reason": AGREED})
    assert _stored().tier == open_tier
    assert Client().get(FILE).status_code == 200
    moved = AuditEvent.objects.get(action="checkpoint.moved")
    assert sentence(moved, {}).endswith(" from opt-175b to open")


def test_a_private_checkpoint_stays_so_until_a_second_person_confirms(
    client: Client, open_tier: Tier, release_owner: User, second_owner: User
) -> None:
    factories.published("acme/weights", open_tier, private=True)
    waiting = _save(release_owner, private=False)
    assert waiting is not None
    assert client.get("/acme/weights").status_code == 404
    services.confirm(waiting, by=second_owner, reason=AGREED)
    assert client.get("/acme/weights").status_code == 200
    events = AuditEvent.objects.about(_stored()).filter(action="checkpoint.changed")
    assert [one.details["fields"] for one in events] == [["private"]]


@pytest.mark.parametrize("days", [None, 1])
def test_an_embargo_that_still_runs_does_not_end_earlier_by_one_person(
    open_tier: Tier, release_owner: User, second_owner: User, days: int | None
) -> None:
    until = timezone.now() + timedelta(days=9)
    earlier: datetime | None = timezone.now() + timedelta(days=days) if days else None
    factories.published("acme/weights", open_tier, embargo_until=until)
    waiting = _save(release_owner, embargo_until=earlier)
    assert waiting is not None
    assert _stored().embargo_until == until
    services.confirm(waiting, by=second_owner, reason=AGREED)
    assert _stored().embargo_until == earlier


@pytest.mark.requirement("AD-7")
def test_what_closes_a_checkpoint_never_waits(
    gated_tier: Tier, open_tier: Tier, release_owner: User
) -> None:
    factories.published("acme/weights", open_tier)
    later = timezone.now() + timedelta(days=9)
    for changes in (
        {"tier": gated_tier},
        {"private": True},
        {"embargo_until": later},
        {"embargo_until": later + timedelta(days=9)},
    ):
        assert _save(release_owner, **changes) is None
    assert (_stored().tier, _stored().private) == (gated_tier, True)


def test_a_save_that_hides_and_moves_to_a_laxer_tier_hides_at_once(
    gated_tier: Tier, open_tier: Tier, release_owner: User
) -> None:
    factories.published("acme/weights", gated_tier)
    assert _save(release_owner, private=True, tier=open_tier) is not None
    assert (_stored().tier, _stored().private) == (gated_tier, True)


def test_a_move_takes_a_second_person_of_both_tiers(
    gated_tier: Tier, open_tier: Tier, release_owner: User
) -> None:
    factories.published("acme/weights", gated_tier)
    local = factories.staff("local", Role.RELEASE_OWNER, open_tier)
    waiting = _save(release_owner, tier=open_tier)
    assert waiting is not None
    with pytest.raises(NotAllowed, match="opt-175b"):
        services.confirm(waiting, by=local, reason=AGREED)
    RoleAssignment.objects.assign(local, Role.RELEASE_OWNER, gated_tier)
    RoleAssignment.objects.update(created_at=timezone.now() - timedelta(days=1))
    services.confirm(waiting, by=local, reason=AGREED)
    assert _stored().tier == open_tier


@pytest.fixture
def equal_tier(gated_tier: Tier) -> Tier:
    """A tier with the terms of the gated one."""
    terms = ("mode", "approvals_needed", "inspected_only", "term_days", "blocked_countries")
    same = {name: getattr(gated_tier, name) for name in terms}
    return Tier.objects.create(slug="equal", name="Equal", licence=gated_tier.licence, **same)


def test_a_move_between_equal_tiers_of_the_same_people_does_not_wait(
    gated_tier: Tier, equal_tier: Tier, applicant: User, release_owner: User
) -> None:
    factories.published("acme/weights", gated_tier)
    local = factories.staff("local", Role.REVIEWER, gated_tier)
    RoleAssignment.objects.assign(local, Role.REVIEWER, equal_tier)
    for tier in (gated_tier, equal_tier):
        factories.grant(applicant, tier)
    assert _save(release_owner, tier=equal_tier) is None
    assert _stored().tier == equal_tier


@pytest.mark.requirement("AD-7")
@pytest.mark.parametrize("who", ["holder", "suspended", "raised", "staff", "countries", "term"])
def test_a_move_by_which_somebody_gains_the_bytes_waits(
    gated_tier: Tier,
    equal_tier: Tier,
    applicant: User,
    release_owner: User,
    second_owner: User,
    who: str,
) -> None:
    """Also where the other tier is as strict, or takes more approvals."""
    factories.published("acme/weights", gated_tier)
    if who in {"holder", "suspended", "raised"}:
        factories.grant(applicant, equal_tier)
    if who == "suspended":
        Grant.objects.update(state=Grant.State.SUSPENDED)
    if who == "raised":  # by the same person, at once, to make it the stricter one
        equal_tier.approvals_needed = 2
        assert services_of_tiers.save_tier(equal_tier, by=release_owner).waiting is None
    if who == "staff":
        factories.staff("local", Role.REVIEWER, equal_tier)
    if who == "countries":
        Tier.objects.filter(pk=gated_tier.pk).update(blocked_countries=["KP"])
    if who == "term":
        Tier.objects.filter(pk=equal_tier.pk).update(term_days=gated_tier.term_days + 1)
    waiting = _save(release_owner, tier=Tier.objects.get(pk=equal_tier.pk))
    assert waiting is not None
    assert _stored().tier == gated_tier
    services.confirm(waiting, by=second_owner, reason=AGREED)
    assert _stored().tier == equal_tier


def test_a_move_to_a_stricter_tier_waits_for_nobody(
    gated_tier: Tier, equal_tier: Tier, applicant: User, release_owner: User
) -> None:
    factories.published("acme/weights", gated_tier)
    Tier.objects.filter(pk=equal_tier.pk).update(approvals_needed=2, term_days=3000)
    assert _save(release_owner, tier=Tier.objects.get(pk=equal_tier.pk)) is None
    assert _stored().tier == equal_tier
    Checkpoint.objects.update(tier=gated_tier)
    Tier.objects.filter(pk=gated_tier.pk).update(mode="click-through")
    factories.grant(applicant, equal_tier)
    assert _save(release_owner, tier=Tier.objects.get(pk=equal_tier.pk)) is None
    assert _stored().tier == equal_tier


def test_a_request_is_superseded_once_its_checkpoint_moved_to_another_tier(
    gated_tier: Tier, open_tier: Tier, release_owner: User, second_owner: User
) -> None:
    factories.published("acme/weights", open_tier, private=True)
    waiting = _save(release_owner, private=False)
    assert waiting is not None
    assert _save(release_owner, tier=gated_tier) is None
    services.confirm(waiting, by=second_owner, reason=AGREED)
    assert waiting.state == ChangeRequest.State.SUPERSEDED
    assert _stored().private
