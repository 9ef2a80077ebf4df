"""What the accounts app tells and asks the rest."""

from typing import TYPE_CHECKING, Any

from django.dispatch import Signal

if TYPE_CHECKING:
    from accounts.tiers.models import Tier

#: Sent after commit, so it only hastens: a periodic sweep finds what a crash kept from being
#: sent. Arguments: application.
application_decided = Signal()

#: Sent in the transaction that erases a person, once their rights have ended. Arguments: person.
person_erased = Signal()

#: Sent in the transaction that closes a grant. Arguments: grant, now. Receivers answer with
#: the list of `receipts.Address` that they have given on it and that may still be used.
addresses_asked = Signal()

#: What a grant of a tier opens now. Arguments: tier. Receivers answer with a list of names,
#: each as a download command takes it.
checkpoints_asked = Signal()


def checkpoints_of(tier: "Tier") -> list[str]:
    """The names of the checkpoints that a grant of this tier opens, by name."""
    answers: list[tuple[Any, Any]] = checkpoints_asked.send(type(tier), tier=tier)
    return sorted(name for _, names in answers for name in names)
