"""What the accounts app tells the rest; sent after commit, so it only hastens."""

from django.dispatch import Signal

#: Arguments: application. A periodic sweep finds what a crash kept from being sent.
application_decided = Signal()
