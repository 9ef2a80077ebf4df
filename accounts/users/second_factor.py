"""Staff show a second factor wherever they act: in the admin, and by token."""

from typing import TYPE_CHECKING

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings

from accounts.web.loopback import is_loopback_url

if TYPE_CHECKING:
    from accounts.users.models import User


def satisfied_by(person: "User") -> bool:
    """Whether this person has set one up, or nobody but this machine can reach the portal."""
    return is_loopback_url(settings.PUBLIC_URL) or bool(is_mfa_enabled(person))
