"""The files of the embedded install below DATA_DIR, and the keys of its first start."""

import errno
import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.exceptions import ImproperlyConfigured

from portal.settings import environment, installation
from portal.settings.private_files import make_private, refuse_readable, write_new

# sun_path of a unix socket has 108 bytes on Linux and 104 on macOS (unix(7)).
_SOCKET_PATH_MOST = 100


def default() -> str:
    """The default DATA_DIR: `var` in a clone; for a wheel, a folder in the user's data."""
    if not installation.IS_WHEEL:
        return str(installation.BASE_DIR / "var")
    return environment.text("XDG_DATA_HOME", "~/.local/share") + "/weighbridge"


def prepare(data_dir: Path) -> None:
    """Create the folders and keys; read `keys.env` and the address in addition to the environment.

    A restore keeps its new keys in this process, since the install's are in the backup. Raises
    ImproperlyConfigured for a folder that is full or not writable.
    """
    try:
        _prepare(data_dir)
        if not os.access(data_dir, os.W_OK):
            raise OSError(errno.EACCES, "it is read-only for this user", str(data_dir))
    except OSError as error:
        raise unusable(data_dir, error) from error


def unusable(data_dir: Path, error: OSError) -> ImproperlyConfigured:
    """The error for a DATA_DIR in which a file or folder cannot be created."""
    remedy = "make it writable for this user, or set DATA_DIR to another folder"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        remedy = "free some space, then run the same command again"
    where = error.filename or data_dir
    return ImproperlyConfigured(f"DATA_DIR: {where} cannot be used ({error.strerror}); {remedy}")


def _prepare(data_dir: Path) -> None:
    for name in ("", "run", "blobs", "broker", "static"):
        (data_dir / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_private(data_dir)
    keys = keys_file(data_dir)
    if environment.is_restoring() and not keys.exists():
        environment.read_lines(_new_keys())
    else:
        if not keys.exists():
            write_once(keys, _new_keys())
        refuse_readable("keys.env", keys)
        environment.read_file(keys)
        _add_encryption_key(keys)
    if (address := address_file(data_dir)).exists():
        environment.read_file(address)


def _make_private(data_dir: Path) -> None:
    """Remove other users' rights to files that an earlier release left readable."""
    folders = [data_dir / name for name in ("run", "broker", "static")]
    for path in [*folders, *data_dir.glob("db.sqlite3*")]:
        make_private(path)


def keys_file(data_dir: Path) -> Path:
    """The file with SECRET_KEY, the key rings and the operator's variables, one per line."""
    return data_dir / "keys.env"


def manifest_key_file(data_dir: Path) -> Path:
    """The key that signs manifests; generated at the first start."""
    return _key_file(data_dir, "manifest-key.pem", new_manifest_key)


def audit_key_file(data_dir: Path) -> Path:
    """The key that signs the head of the trail; generated at the first start."""
    return _key_file(data_dir, "audit-key.pem", new_audit_key)


def _key_file(data_dir: Path, name: str, new_key: Callable[[], str]) -> Path:
    path = data_dir / name
    try:
        if not path.exists() and not environment.is_restoring():
            write_once(path, new_key())
    except OSError as error:
        raise unusable(data_dir, error) from error
    return path


def new_manifest_key() -> str:
    """A new key on P-256, in PEM."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


def new_audit_key() -> str:
    """A new Ed25519 key, in PEM."""
    return _pem(ed25519.Ed25519PrivateKey.generate())


def _pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def invented_mark(data_dir: Path) -> Path:
    """The file that exists in an install that `make demo` fills; see portal/demo_install."""
    return data_dir / "invented-data"


def address_file(data_dir: Path) -> Path:
    """The file in which quickstart stores its URL for commands that run meanwhile."""
    return data_dir / "run" / "address.env"


def broker_socket(data_dir: Path) -> Path:
    """The broker's unix socket; in the temporary folder if its path would be too long."""
    path = data_dir / "run" / "broker.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH_MOST:
        return path
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"weighbridge-{os.getuid()}-{digest}.sock"


def broker_url(data_dir: Path) -> str:
    """The embedded broker's URL for Celery."""
    return f"redis+socket://{broker_socket(data_dir)}"


def cache_beside(broker: str) -> str:
    """The URL of the cache, for Django: the next database number on the broker's server."""
    parts = urlsplit(broker)
    if parts.scheme == "redis+socket":
        return f"unix://{parts.path}?db=1"
    number = int(parts.path.strip("/") or 0) if parts.path.strip("/").isdigit() else 0
    return urlunsplit(parts._replace(path=f"/{number + 1}"))


def hosts(public_url: str) -> list[str]:
    """The host of the public URL, and loopback for clients on this machine."""
    return [str(urlsplit(public_url).hostname), "127.0.0.1", "localhost", "[::1]"]


def _new_keys() -> str:
    rings = f"LINK_KEYS=k1:{secrets.token_hex(32)}\n{_new_encryption_key()}"
    return f"SECRET_KEY={secrets.token_urlsafe(50)}\n{rings}"


def _new_encryption_key() -> str:
    return f"ENCRYPTION_KEYS=k1:{secrets.token_hex(32)}\n"


def _add_encryption_key(keys: Path) -> None:
    """Add the key to the file of an earlier release, once, even if several processes start.

    A restore takes the key from the backup, so it uses a new one only for itself.
    """
    if environment.text("ENCRYPTION_KEYS", "") or environment.text("ENCRYPTION_KEYS_FILE", ""):
        return
    if environment.is_restoring():
        environment.read_lines(_new_encryption_key())
        return
    try:
        with keys.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            text = file.read()
            if "\nENCRYPTION_KEYS=" not in f"\n{text}":
                file.write(("" if text.endswith("\n") else "\n") + _new_encryption_key())
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise ImproperlyConfigured(
            f"ENCRYPTION_KEYS: is not set, and {keys} cannot be changed ({error.strerror}); add a"
            " line ENCRYPTION_KEYS=k1:KEY with KEY from: openssl rand -hex 32"
        ) from error
    environment.read_file(keys)


def write_once(path: Path, text: str) -> None:
    """Create a file of mode 0600, completely or not at all; leave an existing file unchanged.

    If two processes start for the first time at once, only one creates the file.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    write_new(part, text)
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
