"""What the accounts app tells and asks the rest."""

from django.dispatch import Signal

#: Sent after commit, so it only hastens: a periodic sweep finds what a crash kept from being
#: sent. Arguments: application.
application_decided = Signal()

#: Sent in the transaction that erases a person, once their rights have ended. Arguments: person.
person_erased = Signal()

#: Sent in the transaction that closes a grant. Arguments: grant, now. Receivers answer with
#: the list of `receipts.Address` that they have given on it and that may still be used.
addresses_asked = Signal()
