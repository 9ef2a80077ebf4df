"""Rate limits of what scripts ask for: links, files and the API."""

import hashlib
import ipaddress
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from accounts.api_tokens import token_format
from accounts.audit import request_context
from accounts.rate_limits import buckets
from accounts.rate_limits.buckets import (
    API_ANONYMOUS,
    API_SIGNED_IN,
    DOWNLOADS_ANONYMOUS,
    DOWNLOADS_SIGNED_IN,
    PROOFS,
    REPORTS,
    WRONG_TOKENS,
    Limit,
    Verdict,
)
from accounts.web.error_pages import error_page
from weights.delivery import signed_claims

log = logging.getLogger(__name__)
#: What does some work and never looks at who asks.
_READS_NO_TOKEN = re.compile(
    r"/api/(?:credentials/revoke|v1/(?:openapi\.json|docs|transparency/[^/]+\.csv))/?$"
)


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
        if counted and not (verdict := buckets.take(counted.limit, counted.key)).allowed:
            if verdict.limit in {REPORTS, PROOFS}:
                return error_page(request, 429, wait=verdict.wait)
            return _too_many(verdict)
        response = self.get_response(request)
        if response.status_code == 401 and "HTTP_AUTHORIZATION" in request.META:
            guess = buckets.take(WRONG_TOKENS, _address(request))
            if not guess.allowed or not guess.counted:
                return _too_many(guess)
        elif counted and counted.unproved and not request_context.is_proved():
            verdict = buckets.take(counted.unproved, _address(request))
            if not verdict.allowed:
                return _too_many(verdict)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Counters that do not answer let nobody guess a password; the log raises the alarm."""
        if not isinstance(error, redis.RedisError):
            return None
        log.error("the counters of sign-ins do not answer: %s", error)
        return error_page(request, 429 if request.path.startswith("/accounts/") else 503, wait=30)


@dataclass(frozen=True)
class _Counted:
    """What a request is counted on: a limit, and whose.

    `unproved` is the limit of its address on which it counts too if what it shows was read by
    nobody or is no credential: forged ones would otherwise have a new bucket each.
    """

    limit: Limit
    key: str
    unproved: Limit | None = None


def _bucket(request: HttpRequest) -> _Counted | None:
    """The limit that a request falls under, and whose; None for pages."""
    path = request.path_info
    if path.startswith("/d/"):
        return _by_link(request, path.split("/", 3)[2])
    if path.startswith("/f/"):
        # The signature is the credential, and whose it is only the database tells.
        return _Counted(DOWNLOADS_SIGNED_IN, f"signed:{_address(request)}", DOWNLOADS_ANONYMOUS)
    if _is_resolve(path):
        return _by_token(request, DOWNLOADS_SIGNED_IN, DOWNLOADS_ANONYMOUS)
    if path.startswith("/access/proofs/"):
        return _Counted(PROOFS, _address(request))
    if path == "/report/" and request.method == "POST":
        return _Counted(REPORTS, _address(request))
    if _READS_NO_TOKEN.match(path):
        return _Counted(API_ANONYMOUS, _address(request))
    if path.startswith("/api/"):
        return _by_token(request, API_SIGNED_IN, API_ANONYMOUS)
    return None


def _is_resolve(path: str) -> bool:
    """Whether scripts fetch files there: of a checkpoint, or of what is not kept here."""
    if path.startswith(("/datasets/", "/spaces/")):
        path = path[path.index("/", 1) :]
    parts = path.split("/", 4)
    return (len(parts) == 5 and parts[3] in {"resolve", "manifest"}) or parts[2:3] == ["resolve"]


def _by_link(request: HttpRequest, token: str) -> _Counted:
    """A genuine link has a bucket of its own; anything else is guessing."""
    try:
        claim = signed_claims.read_token(token, settings.LINK_KEYS)
    except signed_claims.BadSignature:
        return _Counted(DOWNLOADS_ANONYMOUS, _address(request))
    return _Counted(DOWNLOADS_SIGNED_IN, claim.digest)


def _by_token(request: HttpRequest, known: Limit, anonymous: Limit) -> _Counted:
    """A well-formed token has a bucket of its own; whether it exists is seen by the answer."""
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme == "Bearer" and token_format.is_well_formed(token):
        return _Counted(known, token_format.digest(token), anonymous)
    return _Counted(anonymous, _address(request))


def _address(request: HttpRequest) -> str:
    """The caller's address as a key that tells nothing of it."""
    counted = _counted_as(request.META.get("REMOTE_ADDR", ""))
    return hashlib.sha256(f"{settings.SECRET_KEY}:{counted}".encode()).hexdigest()[:32]


@lru_cache(maxsize=4096)
def _counted_as(address: str) -> str:
    """An address of IPv6 counts as its /64, which one customer has to choose from (RFC 6177)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed.packed, 64), strict=False))


def _too_many(verdict: Verdict) -> HttpResponse:
    wait = verdict.wait or verdict.limit.window
    message = f"Too many requests. Try again in {wait} second{'' if wait == 1 else 's'}."
    response = JsonResponse({"error": message, "code": "rate_limited"}, status=429)
    response["Content-Length"] = str(len(response.content))  # no middleware behind adds it
    response["X-Error-Code"] = "rate_limited"
    for name, value in buckets.headers(verdict).items():
        response[name] = value
    response["Retry-After"] = str(wait)
    response["X-Error-Message"] = message
    response["Cache-Control"] = "private, no-store"
    return response
