"""Refuse to start with weak settings, with one line for each: variable, reason, remedy.

The settings modules call `refuse` at their end, so it applies to every process and command.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.http.request import validate_host

from accounts.web.loopback import is_loopback_url

Settings = Mapping[str, Any]
Rule = Callable[[Settings], Iterator[str]]

#: Characters of SECRET_KEY, as Django requires (security.W009).
SECRET_LENGTH = 50
#: Characters of METRICS_TOKEN, long enough to resist guessing, since no rate limit slows it.
TOKEN_LENGTH = 32
#: Minimum distinct characters, and bytes; random text of that length and random keys have more.
SECRET_VARIETY = 10
KEY_VARIETY = 16
#: A year, as https://hstspreload.org requires.
PRELOAD_SECONDS = 365 * 24 * 3600
_PLACEHOLDERS = ("insecure", "changeme", "change-me", "placeholder")


def refuse(settings: Settings, *, production: bool) -> None:
    """Raise ImproperlyConfigured with a line for each weakness."""
    found = weaknesses(settings, production=production)
    if found:
        raise ImproperlyConfigured("\n".join(found))


def weaknesses(settings: Settings, *, production: bool) -> list[str]:
    """The weaknesses of these settings, a line each."""
    rules = PRODUCTION if production else EMBEDDED
    return [line for rule in rules for line in rule(settings)]


# -- secrets --------------------------------------------------------------------------------


def _secret_key(settings: Settings) -> Iterator[str]:
    key = str(settings["SECRET_KEY"])
    guessable = len(set(key)) < SECRET_VARIETY or any(word in key for word in _PLACEHOLDERS)
    if len(key) < SECRET_LENGTH or guessable:
        yield (
            f"SECRET_KEY: needs {SECRET_LENGTH} random characters or more; create one with: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )


def _key_rings(settings: Settings) -> Iterator[str]:
    make = "create one with: openssl rand -hex 32"
    for name in ("LINK_KEYS", "ENCRYPTION_KEYS"):
        ring: dict[str, bytes] = settings[name]
        for key_id, key in ring.items():
            if len(set(key)) < KEY_VARIETY:
                yield f"{name}: key {key_id} is not random; {make}"
            if key.hex() in str(settings["SECRET_KEY"]).lower():
                yield f"{name}: key {key_id} is the SECRET_KEY; {make}"
        if len(set(ring.values())) < len(ring):
            yield f"{name}: two ids have the same key, so the key was not rotated; {make}"
    if set(settings["LINK_KEYS"].values()) & set(settings["ENCRYPTION_KEYS"].values()):
        yield f"ENCRYPTION_KEYS: holds a key of LINK_KEYS; {make}"


def _metrics_token(settings: Settings) -> Iterator[str]:
    token = str(settings["METRICS_TOKEN"])
    if token and (len(token) < TOKEN_LENGTH or len(set(token)) < SECRET_VARIETY):
        yield (
            f"METRICS_TOKEN: needs {TOKEN_LENGTH} random characters or more; create one with:"
            " openssl rand -hex 32"
        )


# -- hosts, encryption, proxies -------------------------------------------------------------


def _debug_never(settings: Settings) -> Iterator[str]:
    if settings["DEBUG"]:
        yield "DEBUG: must be off in production; leave it unset"


def _debug_on_loopback(settings: Settings) -> Iterator[str]:
    if settings["DEBUG"] and not is_loopback_url(settings["PUBLIC_URL"]):
        yield "DEBUG: shows settings and code to anyone who sees an error; unset it beyond loopback"


def _hosts(settings: Settings) -> Iterator[str]:
    hosts: list[str] = settings["ALLOWED_HOSTS"]
    public = str(urlsplit(settings["PUBLIC_URL"]).hostname)
    if not hosts or any(host.strip(".") in {"", "*"} for host in hosts):
        yield f"ALLOWED_HOSTS: name the hosts that this portal answers for, such as {public}"
    elif not validate_host(f"[{public}]" if ":" in public else public, hosts):
        yield f"ALLOWED_HOSTS: add {public}, the host of PUBLIC_URL, or no link of the portal works"


def _encrypted(settings: Settings) -> Iterator[str]:
    address: str = settings["PUBLIC_URL"]
    if not address.startswith("https://") and not is_loopback_url(address):
        yield (
            f"PUBLIC_URL: {address} would send passwords and tokens unencrypted; "
            "set an https:// address"
        )


def _bytes_encrypted(settings: Settings) -> Iterator[str]:
    """Require https for the server of the bytes if the portal uses it."""
    if not settings["PUBLIC_URL"].startswith("https://"):
        return
    if not settings["WEIGHTS_STORAGE"].startswith("s3:"):
        return
    name = "CDN_URL" if settings["CDN_URL"] else "S3_PUBLIC_ENDPOINT_URL"
    address = settings[name]
    if address and not address.startswith("https://"):
        yield f"{name}: {address} would send weights unencrypted; set an https:// address"


def _proxies(settings: Settings) -> Iterator[str]:
    if settings["TRUSTED_PROXIES"]:
        return
    why = ""
    if settings["PUBLIC_URL"].startswith("https://"):
        why = "PUBLIC_URL is https, so there is a proxy in front"
    elif settings["ACCEL_LOCATION"]:
        why = "ACCEL_LOCATION is set, so nginx is in front"
    if why:
        yield (
            f"TRUSTED_PROXIES: {why}, and without their number all callers share one address; "
            "set 1 for nginx alone"
        )


def _hsts_preload(settings: Settings) -> Iterator[str]:
    if not settings.get("SECURE_HSTS_PRELOAD"):
        return
    is_short = settings["SECURE_HSTS_SECONDS"] < PRELOAD_SECONDS
    if is_short or not settings["SECURE_HSTS_INCLUDE_SUBDOMAINS"]:
        yield (
            f"HSTS_PRELOAD: browsers' lists demand HSTS_SECONDS={PRELOAD_SECONDS} or more and "
            "HSTS_SUBDOMAINS=true; set those first, or turn it off"
        )


# -- one machine or many --------------------------------------------------------------------


def _one_file_one_machine(settings: Settings) -> Iterator[str]:
    engine = str(settings["DATABASES"]["default"]["ENGINE"])
    broker = str(settings["CELERY_BROKER_URL"])
    if engine.endswith("sqlite3") and not _is_local(broker):
        yield (
            f"DATABASE_URL: SQLite is a file of one machine, and {_host(broker)} serves several "
            "machines; set postgres://…, or a broker of this machine"
        )


def _queue_and_cache_apart(settings: Settings) -> Iterator[str]:
    broker, cache = (_database(url) for url in _redis_urls(settings).values())
    if broker and broker == cache:
        yield "CACHE_URL: names the broker's database; set another number, such as /1"


def _queue_and_cache_guarded(settings: Settings) -> Iterator[str]:
    """Require a password, since write access to Redis can send tasks and reset rate limits."""
    for name, url in _redis_urls(settings).items():
        if not _is_local(url) and not urlsplit(url).password:
            password = name.replace("_URL", "_PASSWORD_FILE")
            yield f"{name}: {_host(url)} has no password; configure users, and set {password}"


def _redis_urls(settings: Settings) -> dict[str, str]:
    cache = str(settings["CACHES"]["default"]["LOCATION"])
    return {"BROKER_URL": str(settings["CELERY_BROKER_URL"]), "CACHE_URL": cache}


def _database(url: str) -> tuple[str, int, str] | None:
    """Host, port and database number; None for a unix socket."""
    parts = urlsplit(url)
    if not parts.hostname:
        return None
    return parts.hostname, parts.port or 6379, parts.path.strip("/") or "0"


def _is_local(broker: str) -> bool:
    """True for a broker on a socket, on loopback, or in one process's memory (benchmarks)."""
    return urlsplit(broker).scheme.endswith(("socket", "unix", "memory")) or is_loopback_url(broker)


def _host(address: str) -> str:
    """Only the host, since the rest of the URL may contain secrets."""
    return urlsplit(address).hostname or "a broker elsewhere"


_ALWAYS: tuple[Rule, ...] = (
    *(_secret_key, _key_rings, _hosts, _one_file_one_machine),
    *(_queue_and_cache_apart, _metrics_token),
)
EMBEDDED: tuple[Rule, ...] = (*_ALWAYS, _debug_on_loopback)
PRODUCTION: tuple[Rule, ...] = (
    *(*_ALWAYS, _debug_never, _encrypted, _bytes_encrypted, _proxies, _hsts_preload),
    _queue_and_cache_guarded,
)
