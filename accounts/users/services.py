"""Creates and changes accounts for their holders, called by commands and staff pages."""

import secrets

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from accounts.api_tokens.revocation import end_credentials
from accounts.audit import field_changes
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.errors import AlreadyHeld, InvalidValue
from accounts.mail import addresses
from accounts.roles.permissions import Role
from accounts.roles.services import give_role_in_shell
from accounts.tiers.models import Tier
from accounts.users import recent_authentication, usernames
from accounts.users.models import User


@transaction.atomic
def create_account(
    username: str,
    email: str,
    *,
    password: str | None = None,
    roles: list[Role] | None = None,
    tiers: list[Tier] | None = None,
    superuser: bool = False,
) -> User:
    """Create an account with a confirmed address, and its roles for `tiers` or for every tier.

    Without `password`, the holder must reset it to sign in. Raises AlreadyHeld if the
    username or address is in use, InvalidValue if one is invalid or the password is weak.
    """
    _validate(username, email)
    user = User(username=username, is_superuser=superuser, is_staff=superuser)
    if password is None:
        user.set_unusable_password()
    else:
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise InvalidValue(f"the password is too weak: {error.messages[0]}") from error
        user.set_password(password)
    user.save()
    addresses.set_first(user, email, confirmed=True)
    AuditEvent.record(AccountsEvent.ACCOUNT_CREATED, target=user, details={"superuser": superuser})
    for role in roles or []:
        everywhere: list[Tier | None] = [None]
        for tier in tiers or everywhere:
            give_role_in_shell(user, role, tier)
    return user


@transaction.atomic
def add_account(account: User, email: str, *, by: User) -> None:
    """Save a new account created by staff; its holder confirms the address at the first sign-in.

    Raises AlreadyHeld if another account has confirmed the address, RecentAuthenticationRequired
    if the sign-in is too old.
    """
    recent_authentication.require()
    account.save()
    addresses.set_first(account, email, confirmed=False)
    details = {"fields": ["username", "email"]}
    AuditEvent.record(AccountsEvent.ACCOUNT_CREATED, actor=by, target=account, details=details)


@transaction.atomic
def change_account(account: User, fields: list[str], *, by: User) -> None:
    """Save the `fields` of an account that staff changed or suspended.

    Saves only these, so that a password that the holder sets meanwhile is not overwritten. Raises
    RecentAuthenticationRequired if the sign-in is too old.
    """
    recent_authentication.require()
    stored = User.objects.get(pk=account.pk)
    flags = [name for name in fields if not User._meta.get_field(name).empty_strings_allowed]
    account.save(update_fields=fields)
    # Names and addresses never enter the trail, which outlives an erased account.
    details = {"fields": fields, "changes": field_changes.changes(stored, account, flags)}
    AuditEvent.record(AccountsEvent.ACCOUNT_CHANGED, actor=by, target=account, details=details)


@transaction.atomic
def record_password_set(account: User, *, by: User | None) -> None:
    """Audit a password set by staff or a command; end tokens and links as after a reset.

    `by` is None for a command. Raises RecentAuthenticationRequired if the sign-in is too old; call
    it in the transaction that sets the password.
    """
    recent_authentication.require()
    AuditEvent.record(AccountsEvent.ACCOUNT_PASSWORD_SET, actor=by, target=account)
    end_credentials(account, by=by, cause="password_reset")


def new_password() -> str:
    """Return a random password of 120 bits as text that can be copied."""
    return secrets.token_urlsafe(15)


def _validate(username: str, email: str) -> None:
    try:
        usernames.validate_username(username)
        validate_email(email)
    except ValidationError as error:
        raise InvalidValue(f"{username!r} with {email!r}: {error.messages[0]}") from error
    if User.objects.filter(username__iexact=username).exists():
        raise AlreadyHeld(f"the name {username!r} is taken; choose another")
