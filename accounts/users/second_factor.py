"""The second factor that staff need for the admin and for their roles to take effect."""

from typing import TYPE_CHECKING

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings

from accounts.web.loopback import is_loopback_url

if TYPE_CHECKING:
    from accounts.users.models import User


def has_required_second_factor(user: "User") -> bool:
    """True if a second factor is set up; always true for a portal on a loopback URL."""
    return is_loopback_url(settings.PUBLIC_URL) or bool(is_mfa_enabled(user))
