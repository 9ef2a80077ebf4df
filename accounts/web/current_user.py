"""The signed-in user, for views with `login_required`."""

from django.http import HttpRequest

from accounts.users.models import User


def signed_in(request: HttpRequest) -> User:
    """Returns `request.user`; fails in a view without `login_required`."""
    assert isinstance(request.user, User)
    return request.user
