"""Who is signed in, for views behind `login_required`."""

from django.http import HttpRequest

from accounts.users.models import User


def signed_in(request: HttpRequest) -> User:
    """The signed-in person; a view without `login_required` in front is a fault."""
    assert isinstance(request.user, User)
    return request.user
