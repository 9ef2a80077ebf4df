"""Typed readers of environment variables; the only module that reads the environment.

A file may contain a value instead. Values of files stay in this module and out of `os.environ`,
which every child process inherits and `/proc/PID/environ` shows.

Each reader raises ImproperlyConfigured with the variable's name, so that a wrong value is found
when the process starts.
"""

import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit, urlunsplit

import environ
import holidays
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from portal.settings.private_files import refuse_readable

_TRUE = {"1", "true", "yes", "on"}
#: Modules and names with which a pickle can run arbitrary code.
_UNSAFE_IMPORTS = {
    *("os", "posix", "nt", "sys", "subprocess", "shutil", "pty", "socket", "importlib", "runpy"),
    *("ctypes", "code", "marshal", "pickle", "eval", "exec", "compile", "getattr", "__import__"),
    *("open", "load", "loads", "system", "popen"),
    "joblib",  # its arrays make a loader read further pickles within one
}
_FALSE = {"0", "false", "no", "off"}


def _refuse(name: str, why: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name}: {why}")


class Files(environ.Env):
    """Values from files, parsed by django-environ."""

    ENVIRON: ClassVar[dict[str, str]] = {}


def _value(name: str) -> str:
    """The environment's value; if that is unset or empty, a file's."""
    return (os.environ.get(name, "").strip() or Files.ENVIRON.get(name, "")).strip()


def text(name: str, default: str | None = None) -> str:
    """The value of `name`. Raises ImproperlyConfigured if it is unset and has no default."""
    if value := _value(name):
        return value
    if default is None:
        raise _refuse(name, "is not set; set it in the environment")
    return default


def is_restoring() -> bool:
    """True for `manage.py restore`, which restores missing keys, and for `backup --verify`.

    Then no keys are generated at start, and key files may be missing.
    """
    return sys.argv[1:2] == ["restore"] or (sys.argv[1:2] == ["backup"] and "--verify" in sys.argv)


def flag(name: str, default: bool) -> bool:
    """A boolean; an empty value counts as unset."""
    value = _value(name)
    if not value:
        return default
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise _refuse(name, f"{value!r} is not a yes or no; use true or false")


def whole(name: str, default: int, *, at_least: int = 0, at_most: int | None = None) -> int:
    """An integer within its bounds."""
    value = _value(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,12}", value):
        raise _refuse(name, f"{value!r} is not a whole number")
    number = int(value)
    if number < at_least or (at_most is not None and number > at_most):
        raise _refuse(name, f"{number} is outside {at_least} to {at_most}")
    return number


def seconds(name: str, default: int, *, at_most: int) -> int:
    """A duration in seconds, at least one."""
    return whole(name, default, at_least=1, at_most=at_most)


def words(name: str) -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in text(name, "").split(",") if word.strip()]


def imports(name: str) -> list[str]:
    """Names that a pickle may import, such as `numpy.dtype`; refuses those that run code."""
    found = words(name)
    for each in found:
        module, _, attribute = each.rpartition(".")
        if not module or not all(part.isidentifier() for part in each.split(".")):
            raise _refuse(name, f"{each!r} is not module.name, such as numpy.dtype")
        if module.partition(".")[0] in _UNSAFE_IMPORTS or attribute in _UNSAFE_IMPORTS:
            raise _refuse(name, f"{each} lets a weight file run commands; it cannot be allowed")
    return found


def origin(name: str, default: str | None = None) -> str:
    """A web origin, such as `https://weights.example.org`: only scheme, host and port."""
    value = text(name, default).rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query:
        raise _refuse(name, f"{value!r} is not an origin such as https://weights.example.org")
    return value


def folder(name: str, default: str) -> Path:
    return Path(text(name, default)).expanduser().resolve()


def database(name: str, default: str, password: str) -> dict[str, Any]:
    """Django's database settings for a URL such as `postgres://user:pass@host/name`.

    The variable `password` supplies the password of a URL without one.
    """
    return database_at(text(name, default), name, password)


def database_at(value: str, name: str, password: str) -> dict[str, Any]:
    """Django's database settings for the URL `value`; error messages call it `name`."""
    try:
        settings: dict[str, Any] = environ.Env.db_url_config(value)
    except (ValueError, KeyError, environ.ImproperlyConfigured) as error:
        raise _refuse(name, f"is not a database URL ({error})") from error
    if not settings.get("ENGINE"):
        raise _refuse(name, "is not a database URL; use postgres://… or sqlite:///…")
    settings["PASSWORD"] = settings["PASSWORD"] or text(password, "")
    return settings


def database_named(url: str, database: str) -> str:
    """The URL for another database of the same server."""
    parts = urlsplit(url)
    # urlunsplit keeps the empty authority of a URL without a host (a unix socket).
    return urlunsplit(parts._replace(path=f"/{database}"))


def redis(name: str, default: str | None, password: str) -> str:
    """A Redis URL; the variable `password` supplies the password of a URL without one."""
    value = text(name, default)
    secret, parts = text(password, ""), urlsplit(value)
    if not secret or parts.password or not parts.hostname:
        return value
    host = parts.netloc.rpartition("@")[2]
    login = f"{parts.username or ''}:{quote(secret, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{host}"))


def email(name: str, password: str) -> dict[str, Any]:
    """Django's e-mail settings for a URL such as `smtp+tls://user:pass@host:587`.

    The variable `password` supplies the password of a URL without one.
    """
    try:
        settings: dict[str, Any] = environ.Env.email_url_config(text(name))
    except (ValueError, KeyError, environ.ImproperlyConfigured) as error:
        raise _refuse(name, f"is not a mail URL ({error})") from error
    settings["EMAIL_HOST_PASSWORD"] = settings.get("EMAIL_HOST_PASSWORD") or text(password, "")
    return settings


def read_file(path: Path) -> None:
    """Read `NAME=value` lines of a file for variables that the environment does not set."""
    read_lines(path.read_text())


def read_lines(text: str) -> None:
    """Read `NAME=value` lines; a variable that is set but empty counts as set."""
    Files.read_env(io.StringIO(text), overwrite=False)
    for name in Files.ENVIRON.keys() & os.environ.keys():
        del Files.ENVIRON[name]


def aws() -> dict[str, str]:
    """Arguments of `boto3.Session` if files set any; boto3 reads the environment itself."""
    names = {
        "AWS_ACCESS_KEY_ID": "aws_access_key_id",
        "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
        "AWS_SESSION_TOKEN": "aws_session_token",
        "AWS_DEFAULT_REGION": "region_name",
    }
    if Files.ENVIRON.keys().isdisjoint(names):
        return {}
    return {argument: _value(name) for name, argument in names.items() if _value(name)}


def read_secrets(*names: str) -> None:
    """Read each variable `NAME` from the file that `NAME_FILE` names.

    `NAME` in the environment overrides the file, and `NAME_FILE` there overrides keys.env.
    """
    for name in names:
        target = name.removesuffix("_FILE")
        in_environment = bool(os.environ.get(name, "").strip())
        value = os.environ.get(target, "").strip() if in_environment else text(target, "")
        if not text(name, "") or value:
            continue
        path = folder(name, "")
        try:
            refuse_readable(name, path)
            Files.ENVIRON[target] = path.read_text().strip()
        except (OSError, ValueError) as error:
            raise _refuse(name, f"{path} cannot be read ({error})") from error
        if not Files.ENVIRON[target]:
            raise _refuse(
                name,
                f"{path} is empty; write the secret into it (sh deploy/secrets.sh"
                " creates those that the portal chooses)",
            )


_STORAGE = re.compile(r"file:///.+|s3://[a-z0-9][a-z0-9.-]{2,62}(/.*)?")


def storage(name: str, default: str) -> str:
    """The URL of the blob store, `file:///path` or `s3://bucket/prefix`."""
    value = text(name, default)
    if not _STORAGE.fullmatch(value):
        raise _refuse(name, f"{value!r} is neither file:///path nor s3://bucket/prefix")
    if value.startswith("file:") and text("CDN_URL", ""):
        raise _refuse("CDN_URL", f"needs blobs in S3, but {name} is {value}")
    return value


#: A contact according to RFC 9116, section 2.5.3.
_CONTACT = re.compile(r"mailto:[^\s,@]+@[^\s,@]+|https://[^\s,]+|tel:\+[0-9-]+")


def contacts(name: str) -> list[str]:
    """Contacts for security.txt, comma-separated, the preferred one first."""
    found = words(name)
    for word in found:
        if not _CONTACT.fullmatch(word):
            raise _refuse(name, f"{word!r} is no mailto:name@host, https://… or tel:+…")
    return found


def pair(name: str, secret: str) -> tuple[str, str]:
    """The client id of `name` and its secret; both empty if neither is set."""
    found = text(name, ""), text(secret, "")
    if bool(found[0]) != bool(found[1]):
        missing, present = (secret, name) if found[0] else (name, secret)
        raise _refuse(missing, f"is not set, but {present} is; a sign-in needs both")
    return found


#: The id that a CDN assigns to the public key.
_CDN_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def cdn(address: str, key_id: str, key_file: str) -> tuple[str, str, str]:
    """Origin, key id and key file of a CDN; empty strings if none of the three is set.

    Refuses to set only some of them. Reads the key once, so that a bad one is found at start.
    """
    present = [name for name in (address, key_id, key_file) if text(name, "")]
    if not present:
        return "", "", ""
    for name in (address, key_id, key_file):
        if name not in present:
            raise _refuse(name, f"is not set, but {present[0]} is; a CDN needs all three")
    if not _CDN_KEY_ID.fullmatch(text(key_id)):
        raise _refuse(key_id, f"{text(key_id)!r} is not the id of a public key at the CDN")
    kinds = "neither an EC key on P-256 nor an RSA key of 2048 bits"
    path = _key_file(key_file, "", lambda key: _is_p256(key) or _is_strong_rsa(key), kinds)
    return origin(address), text(key_id), path


def manifest_key(name: str, default: str = "") -> str:
    """The file of the key that signs manifests; empty in processes that do not sign.

    Reads the key once, so that a weak or exposed one is found at start.
    """
    return _key_file(name, default, _is_p256, "not an EC key on P-256")


def audit_key(name: str, default: str = "") -> str:
    """The file of the key that signs the trail's head, read like `manifest_key`."""
    return _key_file(
        name, default, lambda key: isinstance(key, Ed25519PrivateKey), "no Ed25519 key"
    )


_COPY = re.compile(r"file:///.*[^/]|s3://[a-z0-9][a-z0-9.-]{2,62}/.*[^/]")


def head_copy(name: str) -> str:
    """The URL for copies of heads: `file:///path/to/file`, `s3://bucket/prefix`, or empty."""
    value = text(name, "")
    if value and not _COPY.fullmatch(value):
        raise _refuse(name, f"{value!r} is neither file:///path/to/file nor s3://bucket/prefix")
    return value


def addresses(name: str) -> list[str]:
    """A comma-separated list of mail addresses."""
    found = words(name)
    for address in found:
        try:
            validate_email(address)
        except ValidationError as error:
            raise _refuse(name, f"{address!r} is not a mail address") from error
    return found


def _key_file(
    name: str, default: str, is_right: Callable[[PrivateKeyTypes], bool], wrong: str
) -> str:
    """The file of an unencrypted PEM key of the right kind; empty if the variable is unset."""
    if not text(name, default):
        return ""
    path = folder(name, default)
    if path.exists() or not is_restoring():
        if not is_right(_private_key(name, path)):
            raise _refuse(name, f"{path} is {wrong}")
        refuse_readable(name, path)
    return str(path)


def _is_p256(key: PrivateKeyTypes) -> bool:
    return isinstance(key, EllipticCurvePrivateKey) and key.curve.name == "secp256r1"


def _is_strong_rsa(key: PrivateKeyTypes) -> bool:
    return isinstance(key, RSAPrivateKey) and key.key_size >= 2048


def _private_key(name: str, path: Path) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise _refuse(name, f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _refuse(name, f"{path} does not contain an unencrypted private key in PEM") from error


def choice(name: str, allowed: tuple[str, ...]) -> str:
    """One of the `allowed` words, by default the first."""
    value = text(name, allowed[0]).lower()
    if value not in allowed:
        raise _refuse(name, f"{value!r} is not one of {', '.join(allowed)}")
    return value


def address(name: str) -> str:
    """An address to listen on, `host:port` with an IPv4 address or a name; or empty."""
    value = text(name, "")
    port = value.rpartition(":")[2]
    if value and not (re.fullmatch(r"[\w.-]+:[0-9]{1,5}", value) and 0 < int(port) < 65536):
        raise _refuse(name, f"{value!r} is not host:port, such as 127.0.0.1:9100")
    return value


def work_calendar(name: str) -> str:
    """A country or subdivision of the `holidays` package, such as DE or US-CA; or empty."""
    value = text(name, "").upper()
    country, _, part = value.partition("-")
    try:
        if value:  # listing all countries would load every calendar
            holidays.country_holidays(country, subdiv=part or None)
    except NotImplementedError as error:
        message = f"{value!r} is not a country such as DE or a part of one such as US-CA"
        raise _refuse(name, message) from error
    return value


_KEY = re.compile(r"([a-z0-9]{1,16}):([0-9a-f]{64})")


def key_ring(name: str) -> dict[str, bytes]:
    """Comma-separated keys, each `id:64 hex digits`, as id -> 32 bytes; the first signs."""
    ring: dict[str, bytes] = {}
    for word in words(name):
        found = _KEY.fullmatch(word)
        if not found:
            raise _refuse(name, "each key is written id:64-hex-digits, the newest first")
        if found[1] in ring:
            raise _refuse(name, f"the id {found[1]} occurs twice; use a different id for each key")
        ring[found[1]] = bytes.fromhex(found[2])
    if not ring:
        raise _refuse(
            name,
            f'is not set; create a key with: echo "k1:$(openssl rand -hex 32)", and set {name}'
            f" to it, or {name}_FILE to a file with it",
        )
    return ring
