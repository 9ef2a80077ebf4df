"""The administrator's account of a new install."""

from dataclasses import dataclass

from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.users.models import User
from accounts.users.services import create_account, new_password

NAME = "admin"
ADDRESS = "admin@localhost"


@dataclass(frozen=True)
class FirstAccount:
    """A name and its plaintext password, which is printed once and never stored."""

    name: str
    password: str


def create_once() -> FirstAccount | None:
    """Create the first account; None if its password was shown or there is another administrator.

    If a start is killed before it shows the password, the next one sets a new password.
    """
    if _was_shown() or RoleAssignment.objects.exclude(user__username=NAME).filter(
        role=Role.ADMINISTRATOR
    ):
        return None
    password = new_password()
    user = User.objects.filter(username=NAME).first()
    if user is None:
        create_account(NAME, ADDRESS, password=password, roles=list(Role))
    elif user.last_login is None:
        user.set_password(password)
        user.save(update_fields=["password"])
    else:
        return None
    return FirstAccount(NAME, password)


def record_shown(account: FirstAccount) -> None:
    """Record that the password was printed, so that no other is created."""
    user = User.objects.get(username=account.name)
    AuditEvent.record(AccountsEvent.ACCOUNT_PASSWORD_SHOWN, target=user)


def _was_shown() -> bool:
    return AuditEvent.objects.filter(action=AccountsEvent.ACCOUNT_PASSWORD_SHOWN).exists()
