"""What people do to their accounts, as allauth tells it, in the trail.

Never what was typed: a name may be a password in the wrong field. The doors that change an
account run in one transaction with these rows (portal/admin/account_urls.py).
"""

from typing import Any

from allauth.account import signals as account
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.signals import user_logged_out, user_login_failed
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.audit import bounded_events
from accounts.audit.bounded_events import FAILED_CODES, FAILED_SIGN_INS, FAILED_SIGN_INS_OF_NOBODY
from accounts.audit.event_tags import AccountsEvent, EventTag
from accounts.audit.models import AuditEvent
from accounts.users.models import User
from accounts.web.sanitize import is_storable


@receiver(account.user_logged_in)
def signed_in(request: HttpRequest, user: User, **kwargs: Any) -> None:
    _note(AccountsEvent.ACCOUNT_SIGNED_IN, user, methods=_methods(request, user))


@receiver(user_logged_out)
def signed_out(user: User | None, **kwargs: Any) -> None:
    if user is not None:
        _note(AccountsEvent.ACCOUNT_SIGNED_OUT, user)


@receiver(user_login_failed)
def sign_in_failed(credentials: dict[str, Any], **kwargs: Any) -> None:
    """The account that was tried is told by its id; a name that is nobody's is not kept."""
    tried = _account_of(credentials)
    limit, key = (FAILED_SIGN_INS, str(tried.pk)) if tried else (FAILED_SIGN_INS_OF_NOBODY, "all")
    bounded_events.record(limit, key, AccountsEvent.ACCOUNT_SIGN_IN_FAILED, target=tried)


@receiver(account.user_signed_up)
def signed_up(user: User, **kwargs: Any) -> None:
    _note(AccountsEvent.ACCOUNT_SIGNED_UP, user)


@receiver(account.password_changed)
def password_changed(user: User, **kwargs: Any) -> None:
    _note(AccountsEvent.ACCOUNT_PASSWORD_CHANGED, user)


@receiver(account.password_set)
def password_set(user: User, **kwargs: Any) -> None:
    _note(AccountsEvent.ACCOUNT_PASSWORD_SET, user)


@receiver(account.password_reset)
def password_reset(user: User, **kwargs: Any) -> None:
    _note(AccountsEvent.ACCOUNT_PASSWORD_RESET, user)


@receiver(account.email_added)
def address_added(user: User, **kwargs: Any) -> None:
    _note(AccountsEvent.ACCOUNT_ADDRESS_ADDED, user)


@receiver(account.email_confirmed)
def address_confirmed(email_address: EmailAddress, **kwargs: Any) -> None:
    _note(AccountsEvent.ACCOUNT_ADDRESS_CONFIRMED, email_address.user)


@receiver(account.email_changed)
def address_changed(user: User, **kwargs: Any) -> None:
    """Another address is the one that is written to."""
    _note(AccountsEvent.ACCOUNT_ADDRESS_CHANGED, user)


@receiver(account.email_removed)
def address_removed(user: User, **kwargs: Any) -> None:
    _note(AccountsEvent.ACCOUNT_ADDRESS_REMOVED, user)


@receiver(post_save, sender=Authenticator)
def factor_added(instance: Authenticator, created: bool, raw: bool, **kwargs: Any) -> None:
    """By the row itself, since allauth tells of it only after the commit."""
    if created and not raw:
        _note_row(AccountsEvent.FACTOR_ADDED, instance.user, type=instance.type)


@receiver(post_delete, sender=Authenticator)
def factor_removed(instance: Authenticator, **kwargs: Any) -> None:
    """Recovery codes that are made anew are removed and added."""
    _note_row(AccountsEvent.FACTOR_REMOVED, instance.user, type=instance.type)


@receiver(mfa.authentication_failed)
def factor_failed(user: User, **kwargs: Any) -> None:
    """A wrong code, behind a right password or to confirm something."""
    bounded_events.record(FAILED_CODES, str(user.pk), AccountsEvent.FACTOR_FAILED, target=user)


@receiver(post_save, sender=SocialAccount)
def linked(instance: SocialAccount, created: bool, raw: bool, **kwargs: Any) -> None:
    if created and not raw:
        _note_row(AccountsEvent.ACCOUNT_LINKED, instance.user, provider=instance.provider)


@receiver(post_delete, sender=SocialAccount)
def unlinked(instance: SocialAccount, **kwargs: Any) -> None:
    _note_row(AccountsEvent.ACCOUNT_UNLINKED, instance.user, provider=instance.provider)


def _note(action: EventTag, person: User, **details: Any) -> None:
    AuditEvent.record(action, actor=person, target=person, details=details)


def _note_row(action: EventTag, owner: User, **details: Any) -> None:
    """Whoever is signed in did it, which need not be the owner; nobody, where none is."""
    person = getattr(context.request, "user", None)
    by = person if isinstance(person, User) else None
    AuditEvent.record(action, actor=by, target=owner, details=details)


def _methods(request: HttpRequest, person: User) -> list[str]:
    """How a person showed who they are, each way once: `password`, `totp`, `webauthn`, …"""
    shown = get_authentication_records(request, person)
    return list(dict.fromkeys(str(one.get("type") or one.get("method")) for one in shown))


def _account_of(credentials: dict[str, Any]) -> User | None:
    """Whose account was tried, by name or confirmed address."""
    name, address = (str(credentials.get(key) or "")[:254] for key in ("username", "email"))
    if not is_storable(name + address):
        return None
    if name and (found := User.objects.filter(username__iexact=name).first()):
        return found
    owned = EmailAddress.objects.filter(email__iexact=address, verified=True)
    owner = owned.select_related("user").first()
    return owner.user if owner else None
