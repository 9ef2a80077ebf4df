"""Create accounts outside the sign-up pages."""

import secrets

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.errors import AlreadyHeld, InvalidValue
from accounts.mail import addresses
from accounts.roles.permissions import Role
from accounts.roles.services import give_role_in_shell
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
    """Create an account with a confirmed address, and its roles: for `tiers`, or for every tier.

    Without `password` the holder must reset the password to sign in. Raises AlreadyHeld for a
    username or address in use, InvalidValue for an invalid one and for a weak password.
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


def new_password() -> str:
    """Return a random password of 120 bits, as text that a person can copy."""
    return secrets.token_urlsafe(15)


def _validate(username: str, email: str) -> None:
    try:
        usernames.validate_username(username)
        validate_email(email)
    except ValidationError as error:
        raise InvalidValue(f"{username!r} with {email!r}: {error.messages[0]}") from error
    if User.objects.filter(username__iexact=username).exists():
        raise AlreadyHeld(f"the name {username!r} is taken; choose another")
