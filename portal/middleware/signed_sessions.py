"""Sessions whose cookie is the session's key with a signature.

The database stores only the key. So a copy of the database, such as a replica or a backup without
keys, contains no valid cookie: signing one takes `SECRET_KEY`.
"""

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse


def sign(session_key: str) -> str:
    """The value of the cookie for this session."""
    return _signer().sign(session_key)


def session_key_of(cookie: str) -> str | None:
    """The session's key; None for a cookie without a valid signature."""
    try:
        return _signer().unsign(cookie)
    except BadSignature:
        return None


def _signer() -> Signer:
    return Signer(salt="portal.session_cookie")


class SignedSessionMiddleware(SessionMiddleware):
    def process_request(self, request: HttpRequest) -> None:
        cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        request.session = self.SessionStore(session_key_of(cookie))

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if settings.READ_ONLY:
            request.session.modified = False
        response = super().process_response(request, response)
        cookie = response.cookies.get(settings.SESSION_COOKIE_NAME)
        if cookie is not None and cookie.value:  # a deleted cookie is empty
            response.cookies[settings.SESSION_COOKIE_NAME] = sign(cookie.value)
        return response
