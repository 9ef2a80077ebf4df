"""Typed readers of environment values; the only module that reads the environment.

Each reader fails at start-up with a sentence that names the variable, so that a wrong
value is found when the process starts and not at the first request that needs it.
"""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def _refuse(name: str, why: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name}: {why}")


def text(name: str, default: str | None = None) -> str:
    """The value of `name`; without a default a missing or empty value is refused."""
    value = os.environ.get(name, "").strip()
    if value:
        return value
    if default is None:
        raise _refuse(name, "is not set; set it in the environment")
    return default


def flag(name: str, default: bool) -> bool:
    value = os.environ.get(name)
    if value is None:
        return default
    if value.strip().lower() in _TRUE:
        return True
    if value.strip().lower() in _FALSE:
        return False
    raise _refuse(name, f"{value!r} is not a yes or no; use true or false")


def whole(name: str, default: int, *, at_least: int = 0, at_most: int | None = None) -> int:
    """A whole number within its bounds."""
    value = os.environ.get(name, "").strip() or str(default)
    if not re.fullmatch(r"[0-9]{1,12}", value):
        raise _refuse(name, f"{value!r} is not a whole number")
    number = int(value)
    if number < at_least or (at_most is not None and number > at_most):
        raise _refuse(name, f"{number} is outside {at_least} to {at_most}")
    return number


def seconds(name: str, default: int, *, at_most: int) -> int:
    """A duration in seconds, at least one."""
    return whole(name, default, at_least=1, at_most=at_most)


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def origin(name: str, default: str | None = None) -> str:
    """A web origin such as `https://weights.example.org`: scheme, host and port, nothing more."""
    value = text(name, default).rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query:
        raise _refuse(name, f"{value!r} is not an origin such as https://weights.example.org")
    return value


def folder(name: str, default: str) -> Path:
    return Path(text(name, default)).expanduser().resolve()


def database(name: str, default: str) -> dict[str, Any]:
    """Django's database settings for a URL such as `postgres://user:pass@host/name`."""
    value = text(name, default)
    try:
        settings: dict[str, Any] = environ.Env.db_url_config(value)
    except (ValueError, KeyError, environ.ImproperlyConfigured) as error:
        raise _refuse(name, f"is not a database URL ({error})") from error
    if not settings.get("ENGINE"):
        raise _refuse(name, "is not a database URL; use postgres://… or sqlite:///…")
    return settings


def email(name: str) -> dict[str, Any]:
    """Django's e-mail settings for a URL such as `smtp+tls://user:pass@host:587`."""
    try:
        settings: dict[str, Any] = environ.Env.email_url_config(text(name))
    except (ValueError, KeyError, environ.ImproperlyConfigured) as error:
        raise _refuse(name, f"is not a mail URL ({error})") from error
    return settings


def read_file(path: Path) -> None:
    """Take `NAME=value` lines of a file for variables that the environment does not set."""
    environ.Env.read_env(str(path), overwrite=False)


_STORAGE = re.compile(r"file:///.+|s3://[a-z0-9][a-z0-9.-]{2,62}(/.*)?")


def storage(name: str, default: str) -> str:
    """Where blobs live: `file:///path` or `s3://bucket/prefix`."""
    value = text(name, default)
    if not _STORAGE.fullmatch(value):
        raise _refuse(name, f"{value!r} is neither file:///path nor s3://bucket/prefix")
    return value


_KEY = re.compile(r"([a-z0-9]{1,16}):([0-9a-f]{64})")


def key_ring(name: str) -> dict[str, bytes]:
    """Signing keys as `id:64 hex digits`, newest first, comma-separated: id -> 32 bytes."""
    ring: dict[str, bytes] = {}
    for word in words(name):
        found = _KEY.fullmatch(word)
        if not found:
            raise _refuse(name, "each key is written id:64-hex-digits, the newest first")
        ring[found[1]] = bytes.fromhex(found[2])
    if not ring:
        raise _refuse(name, "is not set; make a key with: openssl rand -hex 32")
    return ring
