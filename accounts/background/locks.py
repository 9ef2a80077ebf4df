"""One thing at a time for one person, whatever number of windows and commands ask at once."""

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser


def take_turn(person: AbstractBaseUser) -> None:
    """Wait until no other transaction acts for this person; ours ends the turn.

    So limits count both of two windows, and a double click acts once. The lock leaves the key
    free: whoever writes a row that points at the person, such as a mail in the transaction of
    a sweep, does not wait for it and cannot end in a deadlock with it.
    """
    get_user_model().objects.select_for_update(no_key=True).get(pk=person.pk)
