"""A password hasher whose hashes the portal's own hashers read, made in one round."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class OneRoundHasher(PBKDF2PasswordHasher):
    """The real hash takes a twentieth of a second by design, and tests make many people."""

    iterations = 1
