"""The current request's id and network, which the trail and the ledger store with each row.

A middleware sets them; they are empty in tasks and commands.
"""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache


@dataclass(frozen=True)
class RequestContext:
    """The request's id and the caller's network, never the full address."""

    request_id: str = ""
    network: str = ""


_NO_REQUEST = RequestContext()
_context: ContextVar[RequestContext] = ContextVar("request_context", default=_NO_REQUEST)
_authenticated: ContextVar[bool] = ContextVar("authenticated", default=False)


def current() -> RequestContext:
    return _context.get()


@contextmanager
def using(context: RequestContext) -> Iterator[None]:
    context_token, authenticated_token = _context.set(context), _authenticated.set(False)
    try:
        yield
    finally:
        _context.reset(context_token)
        _authenticated.reset(authenticated_token)


def forget_network() -> None:
    """Record no network for the rest of this request, in which the user erases their account."""
    _context.set(replace(_context.get(), network=""))


def mark_authenticated() -> None:
    """Record that the request carries a valid credential."""
    _authenticated.set(True)


def is_authenticated() -> bool:
    return _authenticated.get()


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Return the /24 (IPv4) or /48 (IPv6) network of an address; empty if malformed."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    prefix = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network(f"{parsed}/{prefix}", strict=False))
