"""The rule that decides whether a person's roles take effect."""

from typing import TYPE_CHECKING

from accounts.users.second_factor import has_required_second_factor

if TYPE_CHECKING:
    from accounts.users.models import User


def is_active_staff(user: "User | None") -> bool:
    """True for active staff with a second factor, whether by session or token.

    Roles have no effect while an account is suspended or has no second factor. A portal on a
    loopback URL does not require a second factor.
    """
    if user is None or not (user.is_active and user.is_staff and user.suspended_at is None):
        return False
    return has_required_second_factor(user)
