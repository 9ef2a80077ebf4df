"""Accounts whose password staff have set cannot add addresses or factors, nor approve in pairs."""

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.test import Client

from accounts.applications.workflow import decisions
from accounts.change_requests import password_set_by_staff
from accounts.errors import NotAllowed
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.django_db

CHOSEN = "chosen by an administrator 1"
OWN = "chosen by its holder 2"


@pytest.fixture
def reviewer(administrator: User) -> User:
    """A reviewer whose password an administrator has set in the admin."""
    person = factories.staff("hired", Role.REVIEWER)
    _set_password(administrator, person)
    return person


def _set_password(by: User, person: User) -> None:
    browser = Client()
    browser.force_login(by)
    form = {"password1": CHOSEN, "password2": CHOSEN, "usable_password": "true"}
    browser.post(f"/admin/accounts/user/{person.pk}/password/", form)
    person.refresh_from_db()
    assert person.check_password(CHOSEN)
    OutgoingMail.objects.all().delete()


_PLANTED = [
    ("/accounts/email/", {"action_add": "", "email": "planted@example.net"}),
    ("/accounts/2fa/totp/activate/", {"code": "123456"}),
    ("/accounts/2fa/webauthn/add/", {"name": "planted", "credential": "{}"}),
]


@pytest.mark.requirement("AD-11")
@pytest.mark.parametrize(("path", "form"), _PLANTED)
def test_whoever_set_a_password_plants_no_address_and_no_factor(
    client: Client, reviewer: User, path: str, form: dict[str, str]
) -> None:
    client.force_login(reviewer)
    answer = client.post(path, form)
    assert (answer.status_code, answer["X-Error-Code"]) == (403, "not_allowed")
    assert "eset it by mail" in answer.content.decode()
    assert not Authenticator.objects.exists()
    assert not EmailAddress.objects.filter(email="planted@example.net").exists()


def test_a_reset_by_mail_makes_the_password_the_holders_own(client: Client, reviewer: User) -> None:
    client.post("/accounts/password/reset/", {"email": reviewer.email})
    found = re.search(r"/accounts/password/reset/key/\S+", OutgoingMail.objects.get().full_text)
    assert found is not None
    page = client.get(found[0])["Location"]
    client.post(page, {"password1": OWN, "password2": OWN})
    reviewer.refresh_from_db()
    assert reviewer.check_password(OWN)
    assert not password_set_by_staff.was_set_by_staff(reviewer)
    client.force_login(reviewer)
    client.post("/accounts/reauthenticate/", {"password": OWN})
    assert client.get("/accounts/2fa/totp/activate/").status_code == 200


def test_a_password_that_its_holder_has_changed_without_a_mail_is_not_their_own(
    client: Client, reviewer: User
) -> None:
    client.force_login(reviewer)
    form = {"oldpassword": CHOSEN, "password1": OWN, "password2": OWN}
    client.post("/accounts/password/change/", form)
    reviewer.refresh_from_db()
    assert reviewer.check_password(OWN)
    assert password_set_by_staff.was_set_by_staff(reviewer)


@pytest.mark.requirement("AD-11")
def test_two_approvals_take_reviewers_with_passwords_of_their_own(
    gated_tier: Tier, applicant: User, reviewer: User
) -> None:
    Tier.objects.filter(pk=gated_tier.pk).update(approvals_needed=2)
    gated_tier.refresh_from_db()
    application = factories.submitted(applicant, gated_tier)
    with pytest.raises(NotAllowed, match="reset it by mail"):
        decisions.approve(application, by=reviewer, confirmed=True)
    application.refresh_from_db()
    decisions.approve(application, by=factories.staff("first", Role.REVIEWER), confirmed=True)
    with pytest.raises(NotAllowed, match="reset it by mail"):
        decisions.approve(application, by=reviewer, confirmed=True)
    assert not Grant.objects.exists()
