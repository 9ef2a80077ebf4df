"""A fast password hasher whose hashes the portal's own hashers can verify."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class OneRoundHasher(PBKDF2PasswordHasher):
    """PBKDF2 with one round, since real hashes take 50 ms and tests create many people."""

    iterations = 1
