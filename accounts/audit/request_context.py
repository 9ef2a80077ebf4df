"""Facts of the request being answered that the trail and the ledger keep.

The middleware sets them; background work and commands have none.
"""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class RequestFacts:
    """The request's id, and the caller's network (never the whole address)."""

    request_id: str = ""
    network: str = ""


_NONE = RequestFacts()
_facts: ContextVar[RequestFacts] = ContextVar("request_facts", default=_NONE)
_proved: ContextVar[bool] = ContextVar("credential_proved", default=False)


def current() -> RequestFacts:
    return _facts.get()


@contextmanager
def using(facts: RequestFacts) -> Iterator[None]:
    token, before = _facts.set(facts), _proved.set(False)
    try:
        yield
    finally:
        _facts.reset(token)
        _proved.reset(before)


def note_proved() -> None:
    """A credential that this request shows was read and is a genuine one."""
    _proved.set(True)


def is_proved() -> bool:
    return _proved.get()


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """The /24 (IPv4) or /48 (IPv6) network of an address; empty when it is not one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    prefix = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network(f"{parsed}/{prefix}", strict=False))
