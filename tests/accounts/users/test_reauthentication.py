"""Changes of rights require a recent authentication; admin sessions last twelve hours (AD)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.applications.workflow import claims
from accounts.grants.models import Grant
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.reports import submission

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

REAUTHENTICATE = "/accounts/reauthenticate/"


@pytest.fixture
def grant(applicant: User, gated_tier: Tier) -> Grant:
    return factories.grant(applicant, gated_tier)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(timezone.now()) as traveller:
        yield traveller


def revoke(client: Client, grant: Grant) -> Any:
    data = {
        "action": "revoke",
        "_selected_action": str(grant.pk),
        "confirmed": "yes",
        "code": "leak",
        "reason": "Its weights were found in public.",
    }
    return client.post("/admin/accounts/grant/", data)


def filled_in(client: Client, page: str, **changes: Any) -> dict[str, Any]:
    """The current data of the form on an admin page, with these changes."""
    shown = client.get(page)
    assert shown.status_code == 200
    data = {
        name: "" if value is None else value
        for name, value in shown.context["adminform"].form.initial.items()
        if name != "blocked_countries"
    }
    return {**data, "questions-TOTAL_FORMS": 0, "questions-INITIAL_FORMS": 0, **changes}


def assert_reauthentication_required(response: Any) -> None:
    assert response.status_code == 302
    assert response["Location"].startswith(REAUTHENTICATE)


@pytest.mark.requirement("AD-3")
def test_a_grant_is_revoked_only_by_who_signed_in_lately(
    client: Client, lead_reviewer: User, grant: Grant, clock: time_machine.Traveller
) -> None:
    client.force_login(lead_reviewer)
    clock.shift(timedelta(minutes=16))
    assert_reauthentication_required(revoke(client, grant))
    grant.refresh_from_db()
    assert grant.state == Grant.State.ACTIVE


def test_a_report_suspends_access_only_for_who_signed_in_lately(
    client: Client, lead_reviewer: User, grant: Grant, clock: time_machine.Traveller
) -> None:
    leak = submission.submit("leak", "The weights stand on a public file share, see there.")
    client.force_login(lead_reviewer)
    clock.shift(timedelta(minutes=16))
    data = {"move": "suspend", "suspend-grant": grant.pk, "suspend-reason": "We look into it."}
    assert_reauthentication_required(client.post(f"/admin/weights/report/{leak.pk}/change/", data))
    grant.refresh_from_db()
    assert grant.state == Grant.State.ACTIVE


def test_a_posted_form_continues_after_reauthentication(
    client: Client, lead_reviewer: User, grant: Grant, clock: time_machine.Traveller
) -> None:
    client.force_login(lead_reviewer)
    clock.shift(timedelta(minutes=16))
    asked = revoke(client, grant)
    wrong: Any = client.post(asked["Location"], {"password": "wrong password 1"})
    assert "reauthenticate" in wrong.request["PATH_INFO"]
    next_page = {"password": factories.PASSWORD, "next": "/admin/accounts/grant/"}
    done: Any = client.post(REAUTHENTICATE, next_page)
    assert done.status_code == 200
    grant.refresh_from_db()
    assert grant.state == Grant.State.REVOKED


@pytest.mark.slow
@pytest.mark.requirement("AD-3")
@pytest.mark.usefixtures("store")
def test_a_gate_is_lowered_only_by_who_signed_in_lately(
    client: Client, release_owner: User, gated_tier: Tier, clock: time_machine.Traveller
) -> None:
    revision = factories.published("acme/gated", gated_tier, {"a.bin": b"1"})
    client.force_login(release_owner)
    clock.shift(timedelta(minutes=16))
    for page in (
        f"/admin/accounts/tier/{gated_tier.pk}/change/",
        f"/admin/weights/checkpoint/{revision.checkpoint_id}/change/",
    ):
        data = filled_in(client, page, mode="open", licence="", opening_reason="It is out.")
        assert_reauthentication_required(client.post(page, data))


def test_a_superuser_must_confirm_like_everybody_else(
    client: Client, grant: Grant, clock: time_machine.Traveller
) -> None:
    root = User.objects.create_superuser("root", "root@example.org", factories.PASSWORD)
    RoleAssignment.objects.assign(root, Role.LEAD_REVIEWER)
    client.force_login(root)
    clock.shift(timedelta(minutes=16))
    assert_reauthentication_required(revoke(client, grant))
    role = {"user": root.pk, "role": "reviewer", "tier": ""}
    assert_reauthentication_required(client.post("/admin/accounts/roleassignment/add/", role))
    assert_reauthentication_required(client.get(f"/admin/accounts/user/{root.pk}/change/"))
    assert_reauthentication_required(client.get(f"/admin/accounts/user/{root.pk}/password/"))


@pytest.mark.requirement("AD-3")
def test_roles_and_accounts_change_only_after_a_fresh_sign_in(
    client: Client,
    administrator: User,
    applicant: User,
    clock: time_machine.Traveller,
) -> None:
    client.force_login(administrator)
    role = {"user": applicant.pk, "role": "reviewer", "tier": ""}
    held = RoleAssignment.objects.assign(applicant, Role.AUDITOR)
    clock.shift(timedelta(minutes=16))
    assert_reauthentication_required(client.post("/admin/accounts/roleassignment/add/", role))
    page = f"/admin/accounts/roleassignment/{held.pk}/delete/"
    assert_reauthentication_required(client.post(page, {"post": "yes"}))
    chosen = {"action": "delete_selected", "_selected_action": str(held.pk), "post": "yes"}
    assert_reauthentication_required(client.post("/admin/accounts/roleassignment/", chosen))
    assert_reauthentication_required(
        client.post(f"/admin/accounts/user/{applicant.pk}/change/", {"is_active": ""})
    )
    chosen = {"action": "erase", "_selected_action": str(applicant.pk), "confirmed": "1"}
    assert_reauthentication_required(client.post("/admin/accounts/user/", chosen))
    assert [one.role for one in applicant.roles.all()] == [Role.AUDITOR]
    applicant.refresh_from_db()
    assert applicant.is_active
    assert applicant.erased_at is None
    assert client.get("/admin/accounts/roleassignment/").status_code == 200


def test_a_password_that_was_typed_waits_in_no_session(
    client: Client, administrator: User, applicant: User, clock: time_machine.Traveller
) -> None:
    client.force_login(administrator)
    clock.shift(timedelta(minutes=16))
    secret = "a new password that nobody knows"
    form = {"password1": secret, "password2": secret, "usable_password": "true"}
    assert_reauthentication_required(
        client.post(f"/admin/accounts/user/{applicant.pk}/password/", form)
    )
    assert secret not in str([one.get_decoded() for one in Session.objects.all()])


def test_an_application_is_approved_only_within_a_sitting(
    client: Client, reviewer: User, applicant: User, gated_tier: Tier, clock: Any
) -> None:
    application = factories.submitted(applicant, gated_tier)
    claims.claim(application, by=reviewer)
    client.force_login(reviewer)
    page = f"/admin/accounts/application/{application.pk}/decide/approve/"
    clock.shift(timedelta(hours=2, minutes=1))
    assert_reauthentication_required(client.post(page, {"days": "30"}))
    assert not Grant.objects.exists()


@pytest.mark.slow
@pytest.mark.requirement("AD-2")
def test_a_session_opens_the_admin_for_twelve_hours(
    client: Client, lead_reviewer: User, clock: time_machine.Traveller
) -> None:
    client.force_login(lead_reviewer)
    clock.shift(timedelta(hours=11, minutes=59))
    assert client.get("/admin/").status_code == 200
    clock.shift(timedelta(minutes=2))
    led: Any = client.get("/admin/", follow=True)
    assert led.redirect_chain[-1][0] == "/accounts/login/?next=%2Fadmin%2F"
    assert "after twelve hours" in led.text
    assert "_auth_user_id" not in client.session
    form = {"login": "lead", "password": factories.PASSWORD, "next": "/admin/"}
    assert client.post("/accounts/login/", form)["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_a_code_of_the_second_factor_counts_as_shown(
    client: Client, lead_reviewer: User, grant: Grant, clock: time_machine.Traveller
) -> None:
    codes = {"seed": "a seed of this test", "used_mask": 0}
    Authenticator.objects.create(user=lead_reviewer, type="recovery_codes", data=codes)
    code = Authenticator.objects.get().wrap().get_unused_codes()[0]
    client.force_login(lead_reviewer)
    clock.shift(timedelta(minutes=16))
    assert_reauthentication_required(revoke(client, grant))
    client.post("/accounts/2fa/reauthenticate/", {"code": code, "next": "/admin/"})
    assert revoke(client, grant).status_code == 200
    grant.refresh_from_db()
    assert grant.state == Grant.State.REVOKED


def test_a_password_set_by_staff_ends_the_tokens(
    client: Client, administrator: User, applicant: User
) -> None:
    factories.token(applicant)
    client.force_login(administrator)
    page = f"/admin/accounts/user/{applicant.pk}/password/"
    secret = "a new password that nobody knows"
    wrong = {"password1": secret, "password2": "another", "usable_password": "true"}
    client.post(page, wrong)
    assert ApiToken.objects.active().exists()
    client.post(page, {**wrong, "password2": secret})
    assert not ApiToken.objects.active().exists()
