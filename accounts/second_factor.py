"""Staff show a second factor wherever they act: in the admin, and by token."""

import ipaddress
from urllib.parse import urlsplit

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings

from accounts.models import User


def satisfied_by(person: User) -> bool:
    """Whether this person has set one up, or nobody but this machine can reach the portal."""
    return on_loopback(settings.PUBLIC_URL) or bool(is_mfa_enabled(person))


def on_loopback(public_url: str) -> bool:
    """Whether only this machine can reach the portal: then no second factor is demanded."""
    host = urlsplit(public_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
