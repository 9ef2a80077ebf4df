"""One confirmed address: a change waits for confirmation, and only it receives mail (AC)."""

import re
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.apps import apps
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.errors import AlreadyHeld
from accounts.grants import break_glass
from accounts.mail import addresses, outbox
from accounts.mail.models import OutgoingMail
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.delivery import links
from weights.delivery.models import CheckpointLink

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

PAGE = "/accounts/email/"
NEW = "attacker@example.net"


def mails_to(address: str) -> list[str]:
    return sorted(OutgoingMail.objects.filter(to=address).values_list("kind", flat=True))


def post(client: Client, action: str, address: str = NEW) -> Any:
    return client.post(PAGE, {f"action_{action}": "", "email": address})


def confirm(client: Client) -> None:
    mail = OutgoingMail.objects.get(to=NEW, kind="email_confirmation")
    found = re.search(r"/accounts/confirm-email/\S+", mail.full_text)
    assert found is not None
    client.post(found[0])


@pytest.mark.requirement("AC-13")
def test_a_change_notifies_the_old_address_and_waits_for_the_new_one(
    client: Client, applicant: User
) -> None:
    old = applicant.email
    client.force_login(applicant)
    post(client, "add")
    assert mails_to(old) == ["address_added"]
    post(client, "primary")
    applicant.refresh_from_db()
    assert applicant.email == old
    confirm(Client())
    post(client, "primary")
    applicant.refresh_from_db()
    assert applicant.email == NEW
    assert EmailAddress.objects.get(user=applicant, primary=True).email == NEW
    assert mails_to(old) == ["address_added", "email_changed"]
    post(client, "remove", old)
    assert mails_to(old) == ["address_added", "address_removed", "email_changed"]


def test_an_account_whose_address_is_not_marked_primary_is_notified_there_too(
    client: Client, applicant: User
) -> None:
    EmailAddress.objects.filter(user=applicant).update(primary=False)
    EmailAddress.objects.create(user=applicant, email=NEW, verified=True)
    client.force_login(applicant)
    post(client, "primary")
    assert mails_to("applicant@example.org") == ["address_changed"]


def test_an_address_that_becomes_primary_by_its_confirmation_is_announced_to_the_others(
    client: Client, applicant: User
) -> None:
    EmailAddress.objects.filter(user=applicant).update(primary=False)
    client.force_login(applicant)
    post(client, "add")
    confirm(Client())
    assert EmailAddress.objects.get(email=NEW).primary
    assert mails_to("applicant@example.org") == ["address_added", "address_changed"]


@pytest.mark.parametrize("action", ["add", "remove", "primary"])
def test_an_old_session_changes_no_address(client: Client, applicant: User, action: str) -> None:
    EmailAddress.objects.create(user=applicant, email="second@example.net", verified=True)
    before = list(EmailAddress.objects.order_by("pk").values_list("email", "primary"))
    client.force_login(applicant)
    with time_machine.travel(timezone.now() + timedelta(hours=200)):
        chosen = NEW if action == "add" else "second@example.net"
        answer = post(client, action, chosen)
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert list(EmailAddress.objects.order_by("pk").values_list("email", "primary")) == before
    assert not OutgoingMail.objects.exists()


@pytest.mark.requirement("AC-14")
def test_staff_of_one_tier_move_no_address_and_receive_nothing_of_another(
    client: Client, applicant: User, gated_tier: Tier
) -> None:
    """A relation in the administrator's own tier does not let them act for another tier's."""
    other = factories.tier("another")
    factories.submitted(applicant, gated_tier)
    factories.submitted(applicant, other)
    client.force_login(factories.staff("local", Role.ADMINISTRATOR, gated_tier))
    page = reverse("admin:accounts_user_change", args=[applicant.pk])
    assert client.post(page, {"username": applicant.username, "email": NEW}).status_code == 403
    reset = reverse("admin:auth_user_password_change", args=[applicant.pk])
    secret = {"password1": factories.PASSWORD, "password2": factories.PASSWORD}
    assert client.post(reset, {**secret, "usable_password": "true"}).status_code == 403
    Client().post("/accounts/password/reset/", {"email": NEW})
    assert mails_to(NEW) == ["unknown_account"]


def test_the_admin_shows_the_address_and_does_not_change_it(
    client: Client, applicant: User, administrator: User
) -> None:
    client.force_login(administrator)
    page = reverse("admin:accounts_user_change", args=[applicant.pk])
    shown = client.get(page)
    assert applicant.email in shown.text
    assert 'name="email"' not in shown.text
    data = {key: value or "" for key, value in shown.context["adminform"].form.initial.items()}
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00"}
    assert client.post(page, {**data, **joined, "email": NEW}).status_code == 302
    applicant.refresh_from_db()
    assert applicant.email == "applicant@example.org"


def test_nobody_confirms_an_address_for_somebody_in_the_admin(
    client: Client, applicant: User
) -> None:
    EmailAddress.objects.create(user=applicant, email=NEW)
    client.force_login(factories.person("root", is_superuser=True, is_staff=True))
    row = EmailAddress.objects.get(email=NEW)
    chosen = {"action": "make_verified", "_selected_action": str(row.pk)}
    assert client.post("/admin/account/emailaddress/", chosen).status_code == 404
    shown = client.get(reverse("admin:accounts_user_change", args=[applicant.pk])).text
    assert "applicant@example.org (confirmed)" in shown
    assert f"{NEW} (not confirmed)" in shown


def test_a_new_account_of_the_admin_waits_for_its_holder(
    client: Client, administrator: User
) -> None:
    client.force_login(administrator)
    form = {
        "username": "grace",
        "email": "Grace@Example.org",
        "usable_password": "true",
        "password1": factories.PASSWORD,
        "password2": factories.PASSWORD,
    }
    client.post(reverse("admin:accounts_user_add"), form)
    grace = User.objects.get(username="grace")
    assert (grace.email, grace.confirmed_addresses()) == ("grace@example.org", [])
    Client().post("/accounts/login/", {"login": "grace", "password": factories.PASSWORD})
    assert mails_to("grace@example.org") == ["email_confirmation"]
    taken = {**form, "username": "eve", "email": administrator.email}
    refused = client.post(reverse("admin:accounts_user_add"), taken)
    assert "Another account has confirmed this address" in refused.text
    errors = refused.context["adminform"].form.errors
    assert errors == {"email": ["Another account has confirmed this address."]}


def test_a_password_set_by_staff_is_announced_to_its_holder(
    client: Client, applicant: User, administrator: User
) -> None:
    client.force_login(administrator)
    secret = {"password1": "a new password of staff", "password2": "a new password of staff"}
    reset = reverse("admin:auth_user_password_change", args=[applicant.pk])
    client.post(reset, {**secret, "usable_password": "true"})
    assert mails_to(applicant.email) == ["password_set"]


def test_a_reset_goes_to_no_address_that_its_owner_never_confirmed(
    client: Client, applicant: User
) -> None:
    User.objects.filter(pk=applicant.pk).update(email=NEW)
    client.post("/accounts/password/reset/", {"email": NEW})
    assert mails_to(NEW) == ["unknown_account"]
    EmailAddress.objects.create(user=applicant, email="waits@example.net")
    client.post("/accounts/password/reset/", {"email": "waits@example.net"})
    assert mails_to("waits@example.net") == ["email_confirmation"]
    client.post("/accounts/password/reset/", {"email": "applicant@example.org"})
    assert mails_to("applicant@example.org") == ["password_reset_key"]


@pytest.mark.usefixtures("store")
def test_mails_and_links_go_to_the_confirmed_address(applicant: User, gated_tier: Tier) -> None:
    revision = factories.published("acme/gated", gated_tier)
    User.objects.filter(pk=applicant.pk).update(email=NEW)
    applicant.refresh_from_db()
    break_glass.create(applicant, gated_tier, days=30, reason="A joint project.")
    links.request_link(applicant, revision.checkpoint)
    for link in CheckpointLink.objects.all():
        links.issue(link.pk)
    assert not OutgoingMail.objects.filter(to=NEW).exists()
    assert set(mails_to("applicant@example.org")) == {"access_given", "checkpoint_link"}


def test_the_address_of_an_application_receives_mail_while_it_is_confirmed(
    applicant: User, gated_tier: Tier
) -> None:
    EmailAddress.objects.create(user=applicant, email="work@uni.example", verified=True)
    answers = {**factories.ANSWERS, "work_email": "work@uni.example"}
    application = factories.submitted(applicant, gated_tier, answers=answers)
    assert mails_to("work@uni.example") == ["application_received"]
    EmailAddress.objects.filter(email="work@uni.example").delete()
    factories.approved(application, factories.staff("second", Role.REVIEWER))
    assert mails_to("work@uni.example") == ["application_received"]
    assert "application_approved" in mails_to("applicant@example.org")


def test_a_queued_mail_is_not_sent_once_its_address_was_removed(
    applicant: User, settings: Any
) -> None:
    settings.MAIL_LEAVES = True
    message = outbox.Message("test", applicant.email, "Hello", "A secret link", applicant)
    mail = outbox.enqueue(message, key="1")
    assert mail is not None
    EmailAddress.objects.filter(user=applicant).delete()
    outbox.deliver(mail.pk)
    mail.refresh_from_db()
    assert mail.state == OutgoingMail.State.FAILED
    assert "not confirmed" in mail.last_error


def test_an_address_of_another_account_is_refused(applicant: User) -> None:
    newcomer = User.objects.create_user("newcomer")
    with pytest.raises(AlreadyHeld):
        addresses.set_first(newcomer, applicant.email.upper(), confirmed=True)


def test_one_module_writes_addresses() -> None:
    writes = re.compile(
        r"\.email\s*=[^=]|EmailAddress\.objects\.(?:create|\w+_or_create|bulk\w+)\("
        r"|EmailAddress\.objects\.[^\n]*\.(?:update|delete)\("
    )
    writers = {
        path.as_posix()
        for app in ("accounts", "weights", "portal")
        for path in Path(app).rglob("*.py")
        if "migrations" not in path.parts and writes.search(path.read_text(encoding="utf-8"))
    }
    assert writers == {"accounts/mail/addresses.py"}


def test_the_migration_lets_accounts_follow_their_confirmed_address(applicant: User) -> None:
    EmailAddress.objects.filter(user=applicant).update(primary=False)
    EmailAddress.objects.create(user=applicant, email=NEW, primary=True)
    unconfirmed = factories.person("newcomer", confirmed=False)
    User.objects.filter(pk=applicant.pk).update(email=NEW)
    migration = import_module("accounts.migrations.0027_one_confirmed_address")
    for _ in range(2):
        migration.follow_the_confirmed_address(apps, None)
        applicant.refresh_from_db()
        assert applicant.email == "applicant@example.org"
        assert EmailAddress.objects.get(user=applicant, primary=True).email == applicant.email
    unconfirmed.refresh_from_db()
    assert unconfirmed.email == "newcomer@example.org"
