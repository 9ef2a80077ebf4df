"""Headers that let pages of any origin read responses about open checkpoints (CORS).

Only responses to anonymous callers carry them, so a page can never read with its visitor's
rights: neither credentials nor the Authorization header are allowed.
"""

from collections.abc import Mapping
from typing import TypeVar

from django.http import HttpResponseBase

from weights.catalogue.models import Checkpoint
from weights.gate.caller import Caller, TokenClaim

Response = TypeVar("Response", bound=HttpResponseBase)

HEADERS: Mapping[str, str] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "Accept-Ranges, Content-Range, ETag, Link, Retry-After, X-Error-Code, X-Error-Message,"
        " X-Linked-Etag, X-Linked-Size, X-Repo-Commit, X-Request-Id"
    ),
}
#: Headers of the response to a preflight request.
PREFLIGHT: Mapping[str, str] = {
    **HEADERS,
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "If-Match, If-None-Match, If-Range, Range",
    "Access-Control-Max-Age": "3600",
}


def is_public(caller: Caller | TokenClaim, checkpoint: Checkpoint) -> bool:
    """True if anyone would get this response: the caller is anonymous and the checkpoint open."""
    return (
        isinstance(caller, Caller)
        and caller.kind == "anonymous"
        and not checkpoint.tier.is_gated
        and not checkpoint.private
    )


def headers(caller: Caller | TokenClaim, checkpoint: Checkpoint) -> Mapping[str, str]:
    """The headers of a response about this checkpoint; empty unless it is public."""
    return HEADERS if is_public(caller, checkpoint) else {}


def allow(response: Response, caller: Caller | TokenClaim, checkpoint: Checkpoint) -> Response:
    """Returns the response, with the headers added if it is public."""
    for name, value in headers(caller, checkpoint).items():
        response[name] = value
    return response
