"""The account with which a new install is entered for the first time."""

from dataclasses import dataclass

from accounts.audit.models import AuditEvent
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.users.models import User
from accounts.users.services import create_account, new_password

NAME = "admin"
ADDRESS = "admin@localhost"


@dataclass(frozen=True)
class FirstAccount:
    """A name and its password in clear, which only the person at the terminal gets to see."""

    name: str
    password: str


def open_once() -> FirstAccount | None:
    """The first account with a new password; None once it was shown or the install has another.

    A start that was killed before it could show the password gives a new one next time.
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


def note_shown(account: FirstAccount) -> None:
    """Remember that the password was printed, so that it is never made anew."""
    user = User.objects.get(username=account.name)
    AuditEvent.record("account.password_shown", target=user)


def _was_shown() -> bool:
    return AuditEvent.objects.filter(action="account.password_shown").exists()
