"""Rate limits of what scripts ask for: links, files and the API."""

import hashlib
import logging
from collections.abc import Callable

import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from accounts import rate_limits, token_format
from accounts.error_pages import error_page
from accounts.rate_limits import (
    API_ANONYMOUS,
    API_KNOWN,
    DOWNLOADS_ANONYMOUS,
    DOWNLOADS_KNOWN,
    PROOFS,
    REPORTS,
    WRONG_TOKENS,
    Limit,
    Verdict,
)
from weights import signing

log = logging.getLogger(__name__)


class RateLimitMiddleware:
    """Count a script's requests by its token or link, a stranger's by address.

    Pages for people are not counted here: allauth bounds what is worth guessing at. A token
    that is no token counts against the address it came from, so that a valid one from the
    same address still works.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        counted = _bucket(request)
        if counted is None:
            return self.get_response(request)
        verdict = rate_limits.take(*counted)
        if not verdict.allowed and verdict.limit in {REPORTS, PROOFS}:
            return error_page(request, 429, wait=verdict.wait)
        if not verdict.allowed:
            return _too_many(verdict)
        response = self.get_response(request)
        if response.status_code == 401 and "HTTP_AUTHORIZATION" in request.META:
            guess = rate_limits.take(WRONG_TOKENS, _address(request))
            if not guess.allowed or not guess.counted:
                return _too_many(guess)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Counters that do not answer let nobody guess a password; the log raises the alarm."""
        if not isinstance(error, redis.RedisError):
            return None
        log.error("the counters of sign-ins do not answer: %s", error)
        return error_page(request, 429 if request.path.startswith("/accounts/") else 503, wait=30)


def _bucket(request: HttpRequest) -> tuple[Limit, str] | None:
    """The limit that a request falls under, and whose; None for pages."""
    path = request.path_info
    if path.startswith("/d/"):
        return _by_link(request, path.split("/", 3)[2])
    if path.startswith("/f/") or _is_resolve(path):
        return _by_token(request, DOWNLOADS_KNOWN, DOWNLOADS_ANONYMOUS)
    if path.startswith("/access/proofs/"):
        return PROOFS, _address(request)
    if path == "/report/" and request.method == "POST":
        return REPORTS, _address(request)
    if path.startswith("/api/"):
        return _by_token(request, API_KNOWN, API_ANONYMOUS)
    return None


def _is_resolve(path: str) -> bool:
    parts = path.split("/", 4)
    return len(parts) == 5 and parts[3] in {"resolve", "manifest"}


def _by_link(request: HttpRequest, token: str) -> tuple[Limit, str]:
    """A genuine link has a bucket of its own; anything else is guessing."""
    try:
        claim = signing.read_token(token, settings.LINK_KEYS)
    except signing.BadSignature:
        return DOWNLOADS_ANONYMOUS, _address(request)
    return DOWNLOADS_KNOWN, claim.digest


def _by_token(request: HttpRequest, known: Limit, anonymous: Limit) -> tuple[Limit, str]:
    """A well-formed token has a bucket of its own; whether it exists is seen by the answer."""
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme == "Bearer" and token_format.is_well_formed(token):
        return known, token_format.digest(token)
    return anonymous, _address(request)


def _address(request: HttpRequest) -> str:
    """The caller's address as a key that tells nothing of it."""
    address = request.META.get("REMOTE_ADDR", "")
    return hashlib.sha256(f"{settings.SECRET_KEY}:{address}".encode()).hexdigest()[:32]


def _too_many(verdict: Verdict) -> HttpResponse:
    wait = verdict.wait or verdict.limit.window
    message = f"Too many requests. Try again in {wait} second{'' if wait == 1 else 's'}."
    response = JsonResponse({"error": message, "code": "rate_limited"}, status=429)
    response["Content-Length"] = str(len(response.content))  # no middleware behind adds it
    response["X-Error-Code"] = "rate_limited"
    for name, value in rate_limits.headers(verdict).items():
        response[name] = value
    response["Retry-After"] = str(wait)
    response["X-Error-Message"] = message
    response["Cache-Control"] = "private, no-store"
    return response
