"""Who acts as staff: the one rule for every door that shows or does what roles allow."""

from typing import TYPE_CHECKING

from accounts.users import second_factor

if TYPE_CHECKING:
    from accounts.users.models import User


def acts_as_staff(user: "User | None") -> bool:
    """Whether roles count for this person now, by session and by token alike.

    Staff who are suspended or have set up no second factor are like anybody else; on a portal
    that only its own machine reaches no factor is asked for.
    """
    if user is None or not (user.is_active and user.is_staff and user.suspended_at is None):
        return False
    return second_factor.satisfied_by(user)
