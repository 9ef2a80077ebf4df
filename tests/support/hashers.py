"""A fast password hasher, whose hashes the portal's own hashers can verify."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class OneRoundHasher(PBKDF2PasswordHasher):
    """PBKDF2 with one round: a real hash takes 50 ms by design, and tests create many people."""

    iterations = 1
