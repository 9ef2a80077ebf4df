"""Storage of Django's messages."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class MessageCookie(CookieStorage):
    """With https, a cookie that only this host can set (RFC 6265bis, section 4.1.3.2)."""

    cookie_name = "__Host-messages" if settings.SESSION_COOKIE_SECURE else "messages"


class MessageStorage(FallbackStorage):
    """A cookie, since there is no session after signing out; the session for the rest."""

    storage_classes = (MessageCookie, SessionStorage)
