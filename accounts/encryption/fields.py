"""A model field that is encrypted in the database."""

from typing import Any

from django.db import models

from accounts.encryption import cipher
from accounts.errors import Unreadable


class EncryptedTextField(models.TextField):
    """Text that is encrypted when written and decrypted when read.

    Reads as UNREADABLE if the keys of this process do not decrypt it, so that lists still open.
    Empty text stays empty. Lookups for any other value match nothing.
    """

    UNREADABLE = "[encrypted with a key that ENCRYPTION_KEYS does not contain]"

    def from_db_value(self, value: str | None, *args: Any) -> str | None:
        try:
            return cipher.decrypt(value) if value else value
        except Unreadable:
            return self.UNREADABLE

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return cipher.encrypt(value) if value else value
