"""Row locks that serialise one person's actions."""

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser


def lock_user(person: AbstractBaseUser) -> None:
    """Lock the person's row until the transaction ends.

    Limits then apply across windows, and a double click acts once. FOR NO KEY UPDATE lets other
    transactions insert rows that refer to the person, such as a mail, without a deadlock.
    """
    get_user_model().objects.select_for_update(no_key=True).get(pk=person.pk)
