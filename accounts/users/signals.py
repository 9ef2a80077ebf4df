"""Receivers of allauth's signals: audit account events, and end credentials with a password.

No event stores typed text: a password may have been typed into the username field. The views that
change an account run in one transaction with these events (portal/admin/account_urls.py).
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

from accounts.api_tokens.revocation import end_credentials, end_links_of_sessions
from accounts.audit import bounded_events
from accounts.audit.bounded_events import FAILED_CODES, FAILED_SIGN_INS, FAILED_SIGN_INS_UNKNOWN
from accounts.audit.event_tags import AccountsEvent, EventTag
from accounts.audit.models import AuditEvent
from accounts.mail import addresses
from accounts.users.models import User
from accounts.web.sanitize import is_storable


@receiver(account.user_logged_in)
def signed_in(request: HttpRequest, user: User, **kwargs: Any) -> None:
    _record(AccountsEvent.ACCOUNT_SIGNED_IN, user, methods=_methods(request, user))


@receiver(user_logged_out)
def signed_out(user: User | None, **kwargs: Any) -> None:
    if user is not None:
        _record(AccountsEvent.ACCOUNT_SIGNED_OUT, user)


@receiver(user_login_failed)
def sign_in_failed(credentials: dict[str, Any], **kwargs: Any) -> None:
    """Record the id of the account, if it exists; never the typed name."""
    user = _account_of(credentials)
    limit, key = (FAILED_SIGN_INS, str(user.pk)) if user else (FAILED_SIGN_INS_UNKNOWN, "all")
    bounded_events.record(limit, key, AccountsEvent.ACCOUNT_SIGN_IN_FAILED, target=user)


@receiver(account.user_signed_up)
def signed_up(user: User, **kwargs: Any) -> None:
    _record(AccountsEvent.ACCOUNT_SIGNED_UP, user)


@receiver(account.password_changed)
def password_changed(user: User, **kwargs: Any) -> None:
    """Also end the links of all sessions, including this one."""
    _record(AccountsEvent.ACCOUNT_PASSWORD_CHANGED, user)
    end_links_of_sessions(user)


@receiver(account.password_set)
def password_set(user: User, **kwargs: Any) -> None:
    """Also end the links of sessions, as after a changed password."""
    _record(AccountsEvent.ACCOUNT_PASSWORD_SET, user)
    end_links_of_sessions(user)


@receiver(account.password_reset)
def password_reset(user: User, **kwargs: Any) -> None:
    """Also end tokens and links: somebody with the old password may have made or copied them."""
    _record(AccountsEvent.ACCOUNT_PASSWORD_RESET, user)
    end_credentials(user, by=user, cause="password_reset")


@receiver(account.email_added)
def address_added(user: User, email_address: EmailAddress, **kwargs: Any) -> None:
    """Also notify the confirmed addresses, which the new one does not replace yet."""
    _record(AccountsEvent.ACCOUNT_ADDRESS_ADDED, user)
    addresses.announce_addition(user, email_address.email)


@receiver(account.email_confirmed)
def address_confirmed(email_address: EmailAddress, **kwargs: Any) -> None:
    """Also notify the other addresses if this one became primary because none was."""
    _record(AccountsEvent.ACCOUNT_ADDRESS_CONFIRMED, email_address.user)
    if email_address.primary:
        addresses.announce_primary(email_address.user, email_address.email, notified="")


@receiver(account.email_changed)
def address_changed(
    user: User,
    from_email_address: EmailAddress | None,
    to_email_address: EmailAddress,
    **kwargs: Any,
) -> None:
    """Record a change of the primary address; allauth notifies the old one."""
    _record(AccountsEvent.ACCOUNT_ADDRESS_CHANGED, user)
    notified = from_email_address.email if from_email_address else ""
    addresses.announce_primary(user, to_email_address.email, notified=notified)


@receiver(account.email_removed)
def address_removed(user: User, email_address: EmailAddress, **kwargs: Any) -> None:
    _record(AccountsEvent.ACCOUNT_ADDRESS_REMOVED, user)
    addresses.announce_removal(user, email_address)


@receiver(post_save, sender=Authenticator)
def factor_added(instance: Authenticator, created: bool, raw: bool, **kwargs: Any) -> None:
    """Receive `post_save`, because allauth sends its own signal after the commit."""
    if created and not raw:
        _record_row(AccountsEvent.FACTOR_ADDED, instance.user, type=instance.type)


@receiver(post_delete, sender=Authenticator)
def factor_removed(instance: Authenticator, **kwargs: Any) -> None:
    """Also record new recovery codes, which replace the old row: one removal, one addition."""
    _record_row(AccountsEvent.FACTOR_REMOVED, instance.user, type=instance.type)


@receiver(mfa.authentication_failed)
def factor_failed(user: User, **kwargs: Any) -> None:
    """Record a wrong code after a correct password, or in a re-authentication."""
    bounded_events.record(FAILED_CODES, str(user.pk), AccountsEvent.FACTOR_FAILED, target=user)


@receiver(post_save, sender=SocialAccount)
def social_account_linked(instance: SocialAccount, created: bool, raw: bool, **kwargs: Any) -> None:
    if created and not raw:
        _record_row(AccountsEvent.ACCOUNT_LINKED, instance.user, provider=instance.provider)


@receiver(post_delete, sender=SocialAccount)
def social_account_unlinked(instance: SocialAccount, **kwargs: Any) -> None:
    _record_row(AccountsEvent.ACCOUNT_UNLINKED, instance.user, provider=instance.provider)


def _record(action: EventTag, user: User, **details: Any) -> None:
    AuditEvent.record(action, actor=user, target=user, details=details)


def _record_row(action: EventTag, owner: User, **details: Any) -> None:
    """Record the signed-in user, who need not be the owner, as the actor; None if anonymous."""
    user = getattr(context.request, "user", None)
    actor = user if isinstance(user, User) else None
    AuditEvent.record(action, actor=actor, target=owner, details=details)


def _methods(request: HttpRequest, user: User) -> list[str]:
    """Return the distinct methods of this sign-in: `password`, `totp`, `webauthn`, …"""
    records = get_authentication_records(request, user)
    return list(dict.fromkeys(str(one.get("type") or one.get("method")) for one in records))


def _account_of(credentials: dict[str, Any]) -> User | None:
    """Return the account with the typed username or confirmed address, or None."""
    name, address = (str(credentials.get(key) or "")[:254] for key in ("username", "email"))
    if not is_storable(name + address):
        return None
    if name and (found := User.objects.filter(username__iexact=name).first()):
        return found
    owned = EmailAddress.objects.filter(email__iexact=address, verified=True)
    owner = owned.select_related("user").first()
    return owner.user if owner else None
