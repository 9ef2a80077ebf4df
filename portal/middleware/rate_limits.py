"""Rate limits for requests of scripts: links, files and the API."""

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
from accounts.errors import AccountsCode
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
from accounts.users import throttling
from accounts.web.error_pages import error_page
from portal.middleware.request_filter import is_upload
from weights.delivery import signed_claims
from weights.uploads.xet import tokens

log = logging.getLogger(__name__)
#: API paths that ignore the caller's token.
_READS_NO_TOKEN = re.compile(
    r"/api/(?:credentials/revoke|v1/(?:openapi\.json|docs|transparency/[^/]+\.csv))/?$"
)


class RateLimitMiddleware:
    """Limit a script's requests by its token or link, anonymous ones by address.

    Pages are not limited here: allauth limits their sign-in forms. A malformed token counts
    against its address, so that a valid token from the same address still works.
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
        elif counted and counted.unproved and not request_context.is_authenticated():
            verdict = buckets.take(counted.unproved, _address(request))
            if not verdict.allowed:
                return _too_many(verdict)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Respond with 503 to what must be counted, such as sign-ups, if Redis is unavailable."""
        if not isinstance(error, redis.RedisError):
            return None
        log.error("the sign-in counters do not answer: %s", error)
        return throttling.counters_unavailable(request)


@dataclass(frozen=True)
class _Counted:
    """The bucket of a request: a limit and a key.

    `unproved` is the limit of its address, which also applies unless a view verified the
    credential. Otherwise each forged credential would have its own bucket.
    """

    limit: Limit
    key: str
    unproved: Limit | None = None


def _bucket(request: HttpRequest) -> _Counted | None:
    """The bucket of a request; None for pages."""
    path = request.path_info
    if path.startswith("/d/"):
        return _by_link(request, path.split("/", 3)[2])
    if path.startswith("/f/"):
        # The signature is the credential; only the database knows its owner.
        return _Counted(DOWNLOADS_SIGNED_IN, f"signed:{_address(request)}", DOWNLOADS_ANONYMOUS)
    if _is_resolve(path):
        return _by_token(request, DOWNLOADS_SIGNED_IN, DOWNLOADS_ANONYMOUS)
    if path.startswith("/access/proofs/"):
        return _Counted(PROOFS, _address(request))
    if path == "/report/" and request.method == "POST":
        return _Counted(REPORTS, _address(request))
    if _READS_NO_TOKEN.match(path):
        return _Counted(API_ANONYMOUS, _address(request))
    if is_upload(path):
        if "claim" in request.GET:
            return _Counted(DOWNLOADS_SIGNED_IN, f"signed:{_address(request)}", DOWNLOADS_ANONYMOUS)
        return _by_token(request, API_SIGNED_IN, API_ANONYMOUS)
    if path.startswith("/api/xet/") and (xet_token := tokens.read(request)):
        return _Counted(API_SIGNED_IN, xet_token.digest, API_ANONYMOUS)
    if path.startswith("/api/"):
        return _by_token(request, API_SIGNED_IN, API_ANONYMOUS)
    return None


def _is_resolve(path: str) -> bool:
    """True if the path is of a file of a checkpoint, dataset or space, fetched by scripts."""
    if path.startswith(("/datasets/", "/spaces/")):
        path = path[path.index("/", 1) :]
    parts = path.split("/", 4)
    return (len(parts) == 5 and parts[3] in {"resolve", "raw", "manifest"}) or parts[2:3] == [
        "resolve"
    ]


def _by_link(request: HttpRequest, token: str) -> _Counted:
    """A genuine link has its own bucket; a forged one counts against its address."""
    try:
        claim = signed_claims.read_token(token, settings.LINK_KEYS)
    except signed_claims.BadSignature:
        return _Counted(DOWNLOADS_ANONYMOUS, _address(request))
    return _Counted(DOWNLOADS_SIGNED_IN, claim.digest)


def _by_token(request: HttpRequest, signed_in: Limit, anonymous: Limit) -> _Counted:
    """A well-formed token has its own bucket; the response shows whether it exists."""
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme == "Bearer" and token_format.is_well_formed(token):
        return _Counted(signed_in, token_format.digest(token), anonymous)
    return _Counted(anonymous, _address(request))


def _address(request: HttpRequest) -> str:
    """A key for the caller's address that does not reveal it."""
    counted = _counted_as(request.META.get("REMOTE_ADDR", ""))
    return hashlib.sha256(f"{settings.SECRET_KEY}:{counted}".encode()).hexdigest()[:32]


@lru_cache(maxsize=4096)
def _counted_as(address: str) -> str:
    """An IPv6 address counts as its /64, which one customer is assigned (RFC 6177)."""
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
    response = JsonResponse({"error": message, "code": AccountsCode.RATE_LIMITED}, status=429)
    response["Content-Length"] = str(len(response.content))  # CommonMiddleware comes later
    response["X-Error-Code"] = AccountsCode.RATE_LIMITED
    for name, value in buckets.headers(verdict).items():
        response[name] = value
    response["Retry-After"] = str(wait)
    response["X-Error-Message"] = message
    response["Cache-Control"] = "private, no-store"
    return response
