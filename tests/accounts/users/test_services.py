"""Staff's changes of accounts need a recent authentication and are atomic."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.audit.models import AuditEvent
from accounts.change_requests import password_set_by_staff
from accounts.errors import RecentAuthenticationRequired
from accounts.mail.models import OutgoingMail
from accounts.users import recent_authentication, services
from accounts.users.models import User
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

NEW_PASSWORD = "a new password of staff"


def _add(person: User, by: User) -> None:
    services.add_account(User(username="grace"), "grace@example.org", by=by)


def _suspend(person: User, by: User) -> None:
    person.suspension_reason = "A leak."
    services.change_account(person, ["suspension_reason"], by=by)


def _set_password(person: User, by: User) -> None:
    services.record_password_set(person, by=by)


@pytest.mark.requirement("AD-3")
@pytest.mark.parametrize("act", [_add, _suspend, _set_password])
def test_the_service_refuses_an_old_sign_in_and_changes_nothing(
    act: Callable[[User, User], None], applicant: User, administrator: User
) -> None:
    events = AuditEvent.objects.count()
    with recent_authentication.in_request(), pytest.raises(RecentAuthenticationRequired):
        act(applicant, administrator)
    assert User.objects.get(pk=applicant.pk).suspension_reason == ""
    assert not User.objects.filter(username="grace").exists()
    assert AuditEvent.objects.count() == events
    act(applicant, administrator)
    assert AuditEvent.objects.count() == events + 1


def test_a_change_by_staff_keeps_the_password_that_the_holder_sets_meanwhile(
    applicant: User, administrator: User
) -> None:
    loaded = User.objects.get(pk=applicant.pk)
    applicant.set_password(NEW_PASSWORD)
    applicant.save()
    _suspend(loaded, administrator)
    stored = User.objects.get(pk=applicant.pk)
    assert stored.suspension_reason == "A leak."
    assert stored.check_password(NEW_PASSWORD)


def test_a_password_of_staff_is_not_set_if_its_event_cannot_be_recorded(
    client: Client, applicant: User, administrator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the worker was killed")

    # A crash between the two writes cannot be timed otherwise.
    monkeypatch.setattr(services, "record_password_set", fail)
    client.force_login(administrator)
    page = reverse("admin:auth_user_password_change", args=[applicant.pk])
    form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    with pytest.raises(RuntimeError):
        client.post(page, form)
    assert not User.objects.get(pk=applicant.pk).check_password(NEW_PASSWORD)
    monkeypatch.undo()
    client.post(page, form)
    assert User.objects.get(pk=applicant.pk).check_password(NEW_PASSWORD)
    assert password_set_by_staff.was_set_by_staff(applicant)
    assert OutgoingMail.objects.get(kind="password_set").recipient == applicant


@pytest.mark.parametrize(("length", "saved"), [(200, True), (255, False)])
def test_the_admin_adds_accounts_with_long_addresses_up_to_the_columns_length(
    client: Client, administrator: User, length: int, saved: bool
) -> None:
    host = ".".join(["d" * 45] * 3)
    address = f"@{host}.example".rjust(length, "a")
    client.force_login(administrator)
    secret = {"password1": factories.PASSWORD, "password2": factories.PASSWORD}
    form = {"username": "grace", "email": address, "usable_password": "true", **secret}
    response = client.post(reverse("admin:accounts_user_add"), form)
    assert response.status_code == (302 if saved else 200)
    assert User.objects.filter(email=address).exists() == saved
