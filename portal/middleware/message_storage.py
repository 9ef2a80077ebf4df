"""Storage of Django's messages."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class MessageCookie(CookieStorage):
    """On https a cookie that only this host can set (RFC 6265bis, section 4.1.3.2)."""

    cookie_name = "__Host-messages" if settings.SESSION_COOKIE_SECURE else "messages"


class MessageStorage(FallbackStorage):
    """A cookie, because a person who just signed out has no session; else the session."""

    storage_classes = (MessageCookie, SessionStorage)
