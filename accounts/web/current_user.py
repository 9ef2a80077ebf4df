"""The signed-in user of a request."""

from django.http import HttpRequest

from accounts.users.models import User


def signed_in(request: HttpRequest) -> User:
    """Return `request.user`; fail in a view without `login_required`."""
    assert isinstance(request.user, User)
    return request.user


def user_or_none(request: HttpRequest) -> User | None:
    """Return `request.user`, or None for an anonymous request."""
    return request.user if isinstance(request.user, User) else None
