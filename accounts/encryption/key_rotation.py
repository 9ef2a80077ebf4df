"""Encrypts what is stored in clear or under an older key, and finds what is unreadable.

`manage.py prepare_install` runs it before each start, so that a rotated key is then used
everywhere. Sessions are left out: they are encrypted when next written, and they expire.
"""

from collections.abc import Iterator

from allauth.mfa.models import Authenticator
from django.db import models, transaction
from django.db.models.functions import Cast

from accounts.encryption import cipher
from accounts.errors import Unreadable
from accounts.mail.models import OutgoingMail

#: Type of a second factor -> the field of its data with the secret.
_SEEDS = {Authenticator.Type.TOTP: "secret", Authenticator.Type.RECOVERY_CODES: "seed"}


def encrypt_all() -> int:
    """Encrypt everything with the newest key. Returns how many rows changed. Idempotent."""
    return sum(_encrypt_factor(pk) for pk in _factors()) + sum(_encrypt_mail(pk) for pk in _mails())


def unreadable_factors() -> list[Authenticator]:
    """Return the second factors that no key of this process decrypts, with their users."""
    factors = Authenticator.objects.filter(type__in=_SEEDS).select_related("user").order_by("pk")
    return [factor for factor in factors if not _is_readable(_seed(factor))]


def _factors() -> Iterator[int]:
    factors = Authenticator.objects.filter(type__in=_SEEDS).order_by("pk")
    yield from (factor.pk for factor in factors if not cipher.is_current(_seed(factor)))


def _mails() -> Iterator[int]:
    """Yield the ids of messages whose credential is not encrypted with the newest key."""
    rows = OutgoingMail.objects.exclude(secret="").order_by("pk")
    stored = rows.values_list("pk", Cast("secret", models.TextField()))
    yield from (pk for pk, secret in stored if not cipher.is_current(secret))


@transaction.atomic
def _encrypt_factor(pk: int) -> bool:
    factor = Authenticator.objects.select_for_update(no_key=True).filter(pk=pk).first()
    if factor is None or not _is_readable(_seed(factor)):
        return False
    factor.data[_SEEDS[factor.type]] = cipher.encrypt(cipher.decrypt(_seed(factor)))
    factor.save(update_fields=["data"])
    return True


@transaction.atomic
def _encrypt_mail(pk: int) -> bool:
    mail = OutgoingMail.objects.select_for_update(no_key=True, of=("self",)).filter(pk=pk).first()
    if mail is None or not mail.secret or not mail.is_readable:
        return False
    mail.text = mail.text.replace(mail.secret, mail.REDACTED)
    mail.save(update_fields=["text", "secret"])
    return True


def _seed(factor: Authenticator) -> str:
    return str(factor.data.get(_SEEDS[factor.type], ""))


def _is_readable(text: str) -> bool:
    try:
        cipher.decrypt(text)
    except Unreadable:
        return False
    return True
