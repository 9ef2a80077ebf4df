"""Who a name and a password belong to: one hash for each try, whoever is meant."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend

from accounts.users.models import User


class SignInBackend(AuthenticationBackend):
    """By name or address, as allauth does it, with the same work for known and unknown ones.

    allauth hands an address on as a name too and would check a known one twice: the time of an
    answer would then tell who has an account (docs/requirements.md, AC-11).
    """

    def authenticate(self, request: Any, **credentials: Any) -> User | None:
        self._checked: dict[int, User | None] = {}
        return super().authenticate(request, **credentials)  # type: ignore[no-any-return]

    def _check_password(self, user: User | None, password: str) -> User | None:
        if user is None:
            return None
        if user.pk not in self._checked:
            self._checked[user.pk] = super()._check_password(user, password)
        return self._checked[user.pk]
