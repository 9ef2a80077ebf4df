"""Passwords that somebody other than the holder has set.

Staff who set an account's password can sign in to it. Until the holder has reset the password by
mail, the account cannot be the second person, nor can anything be added to it that outlives the
reset.
"""

from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.errors import NotAllowed
from accounts.users.models import User

REFUSAL = "somebody else has set the password of this account; reset it by mail first"


def was_set_by_staff(person: User) -> bool:
    """True if somebody else set the password and it has not been reset by mail since."""
    about = AuditEvent.objects.about(person)
    reset = about.filter(action=AccountsEvent.ACCOUNT_PASSWORD_RESET).last()
    chosen = about.filter(
        action__in=[AccountsEvent.ACCOUNT_PASSWORD_SET, AccountsEvent.ACCOUNT_CREATED],
        actor_id__isnull=False,
    ).exclude(actor_id=person.public_id)
    return chosen.filter(pk__gt=reset.pk if reset else 0).exists()


def require(person: User) -> None:
    """Raise NotAllowed if `was_set_by_staff`."""
    if was_set_by_staff(person):
        raise NotAllowed(REFUSAL)
