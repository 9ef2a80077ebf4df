"""Where a page's short messages wait for the next page."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class MessageCookie(CookieStorage):
    """A cookie that on https only this host can set, like the session's (RFC 6265bis 4.1.3.2)."""

    cookie_name = "__Host-messages" if settings.SESSION_COOKIE_SECURE else "messages"


class MessageStorage(FallbackStorage):
    """In the cookie, since a person who has just signed out has no session; else in the session."""

    storage_classes = (MessageCookie, SessionStorage)
