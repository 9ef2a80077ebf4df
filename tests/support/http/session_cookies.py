"""Sign the session cookies of Django's test client, as the portal's middleware expects."""

from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.test.client import ClientMixin

from portal.middleware import signed_sessions

_set_plain_cookie = ClientMixin._set_login_cookies  # type: ignore[attr-defined]


def use_in_test_client() -> None:
    """Patch the client, which sets and reads the session cookie without middleware."""
    client: Any = ClientMixin
    client.session = property(_session)
    client._set_login_cookies = _set_login_cookies


def _session(client: Any) -> SessionStore:
    cookie = client.cookies.get(settings.SESSION_COOKIE_NAME)
    if cookie:
        return SessionStore(signed_sessions.session_key_of(cookie.value))
    session = SessionStore()
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = signed_sessions.sign(str(session.session_key))
    return session


def _set_login_cookies(client: Any, request: Any) -> None:
    _set_plain_cookie(client, request)
    cookie = signed_sessions.sign(request.session.session_key)
    client.cookies[settings.SESSION_COOKIE_NAME] = cookie
