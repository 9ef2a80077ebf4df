"""End the credentials of a person whose password was reset: tokens and links.

Sessions end by themselves, because each contains a hash of the password.
"""

from django.db import transaction

from accounts.api_tokens.models import ApiToken
from accounts.release_interface import releases
from accounts.users.models import User


@transaction.atomic
def end_credentials(person: User, *, by: User | None, cause: str) -> None:
    """Revoke every active token of `person`, and every link whoever requested it. Idempotent.

    Whoever knew the old password may have made or copied them. `cause` goes to the audit trail.
    """
    ApiToken.objects.revoke_all(person, by=by, cause=cause)
    releases().end_links(person, by=by)


def end_links_of_sessions(person: User) -> None:
    """Revoke the links that `person` requested in sessions, which a new password ends."""
    releases().end_links(person, by=person, sessions_only=True)
