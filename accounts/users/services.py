"""Make accounts outside the sign-up pages."""

import secrets

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.errors import AlreadyHeld, InvalidValue
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users import usernames
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
    """An account with a confirmed address; each role is for `tiers`, or for all if none.

    Without a password the account has none until its holder resets it. Raises AlreadyHeld for
    a name or address in use, InvalidValue for one that cannot be, or for a weak password.
    """
    _check(username, email)
    user = User(username=username, email=email, is_superuser=superuser, is_staff=superuser)
    if password is None:
        user.set_unusable_password()
    else:
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise InvalidValue(f"the password is too weak: {error.messages[0]}") from error
        user.set_password(password)
    user.save()
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    AuditEvent.record(AccountsEvent.ACCOUNT_CREATED, target=user, details={"superuser": superuser})
    for role in roles or []:
        everywhere: list[Tier | None] = [None]
        for tier in tiers or everywhere:
            RoleAssignment.objects.assign(user, role, tier)
    return user


def new_password() -> str:
    """A random password of 120 bits that a person can copy."""
    return secrets.token_urlsafe(15)


def _check(username: str, email: str) -> None:
    try:
        usernames.fits(username)
        validate_email(email)
    except ValidationError as error:
        raise InvalidValue(f"{username!r} with {email!r}: {error.messages[0]}") from error
    if User.objects.filter(username__iexact=username).exists():
        raise AlreadyHeld(f"the name {username!r} is taken; choose another")
    if EmailAddress.objects.filter(email__iexact=email, verified=True).exists():
        raise AlreadyHeld(f"the address {email!r} belongs to another account")
