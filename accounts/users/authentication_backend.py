"""Password authentication in constant time: one hash for every attempt."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend

from accounts.users.models import User


class SignInBackend(AuthenticationBackend):
    """allauth's backend with the same work for registered and unknown names.

    allauth also looks up an address as a username, and would hash the password twice if it is
    registered: response times would reveal who has an account (docs/requirements.md, AC-11).
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
