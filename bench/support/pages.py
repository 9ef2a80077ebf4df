"""Open pages in this process, through all middleware."""

from typing import Any


def signed_in(person: Any) -> Any:
    """Django's test client for a person, with a session cookie signed like the portal's."""
    from django.conf import settings
    from django.test import Client

    from portal.middleware import signed_sessions

    client = Client()
    client.force_login(person)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    client.cookies[settings.SESSION_COOKIE_NAME] = signed_sessions.sign(cookie.value)
    return client
