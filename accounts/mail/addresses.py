"""Mail addresses of accounts: sets `User.email`, and announces changes.

allauth stores an EmailAddress for each address and copies the primary one to `User.email`; its
pages add, confirm and remove them. All other code that sets or deletes an address calls this
module, so that both agree. Mail goes only to confirmed addresses (accounts/mail/outbox.py).
"""

import uuid

from allauth.account.models import EmailAddress
from django.db import transaction

from accounts.errors import AlreadyHeld
from accounts.mail import outbox
from accounts.users.models import User


def is_confirmed(address: str) -> bool:
    """True if an account has confirmed the address, ignoring case."""
    return bool(EmailAddress.objects.filter(email__iexact=address, verified=True).exists())


@transaction.atomic
def set_first(person: User, address: str, *, confirmed: bool) -> None:
    """Set the address of a new account. Raises AlreadyHeld if another account has confirmed it.

    An unconfirmed address receives only the confirmation mail that allauth sends at the first
    sign-in.
    """
    address = address.lower()
    if is_confirmed(address):
        raise AlreadyHeld(f"the address {address!r} belongs to another account")
    EmailAddress.objects.create(user=person, email=address, verified=confirmed, primary=True)
    person.email = address
    person.save(update_fields=["email"])


@transaction.atomic
def remove_all(person: User) -> None:
    """Delete every address of an account that is being erased."""
    EmailAddress.objects.filter(user=person).delete()
    person.email = ""
    person.save(update_fields=["email"])


def announce_addition(person: User, address: str) -> None:
    """Notify every confirmed address that another one was added, but is not confirmed yet."""
    for confirmed in person.confirmed_addresses():
        _announce("address_added", person, to=confirmed, address=address)


def announce_primary(person: User, address: str, *, notified: str) -> None:
    """Notify the confirmed addresses, except `notified`, that mail now goes to `address`."""
    for confirmed in person.confirmed_addresses():
        if confirmed not in {address, notified}:
            _announce("address_changed", person, to=confirmed, address=address)


def announce_removal(person: User, removed: EmailAddress) -> None:
    """Notify a removed address, if it was confirmed; allauth notifies the primary one."""
    if removed.verified:
        _announce("address_removed", person, to=removed.email, address=removed.email)


def _announce(kind: str, person: User, *, to: str, address: str) -> None:
    context: dict[str, object] = {"username": person.username, "address": address}
    message = outbox.compose(kind, to=to, recipient=person, context=context)
    outbox.enqueue(message, key=uuid.uuid4().hex)
