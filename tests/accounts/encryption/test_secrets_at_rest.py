"""A copy of the database contains no secret with which to take over an account."""

import re
import secrets
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.encryption import cipher, key_rotation
from accounts.mail import outbox
from accounts.mail.models import OutgoingMail
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.database import dump
from tests.support.totp import current_code
from weights.delivery import links
from weights.delivery.models import CheckpointLink

pytestmark = pytest.mark.django_db

LINK = "https://weights.example.org/d/token/"


def places_of(*needles: str) -> dict[str, set[str]]:
    """Secret -> every table.column that contains it; base64 and zlib are undone."""
    assert all(len(needle) > 15 for needle in needles)
    found: dict[str, set[str]] = {needle: set() for needle in needles}
    for place, text in dump.database():
        for needle in needles:
            if needle in text:
                found[needle].add(place)
    return {needle: places for needle, places in found.items() if places}


def key_of(kind: str) -> str:
    """The last part of the link in the newest mail of a kind."""
    found = re.search(
        r"https?://\S+/([^/\s']+)/", OutgoingMail.objects.filter(kind=kind).latest("pk").full_text
    )
    assert found is not None
    return found[1]


@pytest.mark.requirement("AC-15")
def test_no_link_in_a_queued_mail_is_in_the_database(
    client: Client, applicant: User, gated_tier: Tier, store: Any, settings: Settings
) -> None:
    settings.MAIL_LEAVES = True
    password = {"password1": factories.PASSWORD, "password2": factories.PASSWORD}
    client.post(
        "/accounts/signup/", {"username": "grace", "email": "grace@uni.example", **password}
    )
    Client().post("/accounts/password/reset/", {"email": applicant.email})
    factories.published("acme/gated", gated_tier)
    factories.grant(applicant, gated_tier)
    holder = Client()
    holder.force_login(applicant)
    holder.post("/access/links/acme/gated/")
    links.issue(CheckpointLink.objects.get().pk)
    kinds = ["email_confirmation_signup", "password_reset_key", "checkpoint_link"]
    keys = [key_of(kind) for kind in kinds]
    assert places_of(*keys) == {}
    for mail in OutgoingMail.objects.filter(kind__in=kinds):
        assert mail.full_text.count(mail.secret) >= 1
        assert mail.REDACTED not in mail.full_text


def test_no_seed_of_a_second_factor_is_in_the_database(client: Client, applicant: User) -> None:
    """Neither while the app is set up, when the seed is in the session, nor later."""
    client.force_login(applicant)
    client.post("/accounts/reauthenticate/", {"password": factories.PASSWORD})
    assert client.get("/accounts/2fa/totp/activate/").status_code == 200
    seed = client.session[totp.SECRET_SESSION_KEY]
    assert places_of(seed) == {}
    with current_code(seed) as code:
        client.post("/accounts/2fa/totp/activate/", {"code": code})
    client.get("/accounts/2fa/recovery-codes/generate/")
    client.post("/accounts/2fa/recovery-codes/generate/")
    app, codes = Authenticator.objects.order_by("-type")
    assert cipher.decrypt(app.data["secret"]) == seed
    assert places_of(seed, cipher.decrypt(codes.data["seed"])) == {}


def test_secrets_of_an_earlier_release_work_and_are_encrypted_once(applicant: User) -> None:
    seed = totp.generate_totp_secret()
    app = Authenticator.objects.create(user=applicant, type="totp", data={"secret": seed})
    codes = Authenticator.objects.create(
        user=applicant, type="recovery_codes", data={"seed": secrets.token_hex(40), "used_mask": 1}
    )
    message = outbox.Message("test", applicant.email, "Hello", f"Go to {LINK}\n", applicant)
    mail = outbox.enqueue(message, key="old")
    assert mail is not None
    with connection.cursor() as cursor:  # as the earlier release stored it
        cursor.execute("UPDATE accounts_outgoingmail SET secret = %s", [LINK])
    mail.refresh_from_db()
    assert (mail.full_text, LINK in mail.text_without_secret) == (f"Go to {LINK}\n", False)
    before = RecoveryCodes(codes).get_unused_codes()
    assert set(places_of(LINK, seed, codes.data["seed"])) == {LINK, seed, codes.data["seed"]}

    assert key_rotation.encrypt_all() == 3
    assert places_of(LINK, seed, codes.data["seed"]) == {}
    for row in (app, codes, mail):
        row.refresh_from_db()
    assert RecoveryCodes(codes).get_unused_codes() == before
    with current_code(seed) as code:
        assert totp.TOTP(app).validate_code(code)
    assert mail.full_text == f"Go to {LINK}\n"
    assert key_rotation.encrypt_all() == 0


def test_a_key_is_rotated_by_one_in_front_and_dropped_after_a_start(
    applicant: User, settings: Settings
) -> None:
    old, new = settings.ENCRYPTION_KEYS, {"k2": secrets.token_bytes(32)}
    seed = totp.generate_totp_secret()
    app = totp.TOTP.activate(applicant, seed).instance
    settings.ENCRYPTION_KEYS = new | old
    assert key_rotation.encrypt_all() == 1
    settings.ENCRYPTION_KEYS = new
    app.refresh_from_db()
    assert cipher.decrypt(app.data["secret"]) == seed
    assert key_rotation.unreadable_factors() == []


@pytest.fixture
def lost(client: Client, applicant: User, settings: Settings) -> User:
    """A person whose authenticator app was encrypted with a key that is lost."""
    totp.TOTP.activate(applicant, totp.generate_totp_secret())
    RecoveryCodes.activate(applicant)
    message = outbox.Message("test", applicant.email, "Hello", f"Go to {LINK}\n", applicant)
    outbox.enqueue(message, key="lost", secret=LINK)
    settings.ENCRYPTION_KEYS = {"k2": secrets.token_bytes(32)}
    return applicant


def test_without_its_key_a_factor_signs_nobody_in_and_the_page_says_how_to_replace_it(
    client: Client, lost: User
) -> None:
    form = {"login": lost.username, "password": factories.PASSWORD}
    page = client.post("/accounts/login/", form)["Location"]
    answer = client.post(page, {"code": "000000"})
    assert answer.status_code == 403
    assert "ask the people who run the portal to remove both" in answer.text
    assert "_auth_user_id" not in client.session
    assert key_rotation.encrypt_all() == 0, "what is unreadable stays as it is"

    call_command("remove_second_factors", "--unreadable")
    assert not Authenticator.objects.exists()
    assert AuditEvent.objects.filter(action="factor.removed").count() == 2
    assert Client().post("/accounts/login/", form)["Location"] == "/access/"


def test_without_its_key_a_mail_is_not_sent_and_the_outbox_still_opens(
    client: Client, lost: User, administrator: User, settings: Settings
) -> None:
    settings.MAIL_LEAVES = True
    mail = OutgoingMail.objects.get(unique_key="test:lost")
    stored = Authenticator.objects.count()
    outbox.deliver(mail.pk)
    mail.refresh_from_db()
    assert mail.state == OutgoingMail.State.FAILED
    assert "let the recipient request another" in mail.last_error
    client.force_login(administrator)
    assert client.get(f"/admin/accounts/outgoingmail/{mail.pk}/change/").status_code == 200
    assert client.get("/admin/accounts/outgoingmail/").status_code == 200
    assert stored == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((), "give the NAME"), (("nobody",), "no account 'nobody'"), (("a", "--unreadable"), "give")],
)
def test_the_command_refuses_unclear_arguments(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("remove_second_factors", *arguments)


def test_the_command_removes_the_codes_of_one_account_and_no_passkey(
    applicant: User, reviewer: User, capsys: pytest.CaptureFixture[str]
) -> None:
    for person in (applicant, reviewer):
        totp.TOTP.activate(person, totp.generate_totp_secret())
    Authenticator.objects.create(user=applicant, type="webauthn", data={"name": "Key"})
    call_command("remove_second_factors", applicant.username)
    assert capsys.readouterr().out == "applicant: totp removed\n"
    assert set(Authenticator.objects.values_list("user__username", "type")) == {
        (applicant.username, "webauthn"),
        (reviewer.username, "totp"),
    }
    call_command("remove_second_factors", applicant.username)
    assert capsys.readouterr().out == "nothing to remove\n"
