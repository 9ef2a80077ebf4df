"""Ends the tokens and links of a person whose password was reset.

Sessions end automatically, because each contains a hash of the password.
"""

from django.db import transaction

from accounts.api_tokens.models import ApiToken
from accounts.release_interface import releases
from accounts.users.models import User


@transaction.atomic
def end_credentials(person: User, *, by: User | None, cause: str) -> None:
    """Revoke every active token and every link of `person`. Idempotent.

    Somebody with the old password may have made or copied them. The audit trail stores `cause`.
    """
    ApiToken.objects.revoke_all(person, by=by, cause=cause)
    releases().end_links(person, by=by)


def end_links_of_sessions(person: User) -> None:
    """Revoke the links that `person` requested in sessions, which end with a new password."""
    releases().end_links(person, by=person, sessions_only=True)
