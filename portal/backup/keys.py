"""Back up the keys of an install as files, and restore them.

The database contains hashes of tokens and links, signatures, and encrypted second factors.
SECRET_KEY, the key rings and the signing keys exist only outside it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings

from portal.errors import BackupError
from portal.settings import data_dir, private_files

#: Settings with the path of a key file; empty in processes that do not sign.
FILES = ("MANIFEST_KEY_FILE", "AUDIT_KEY_FILE", "CDN_KEY_FILE")
#: Never backed up: it signs backups, so a backup must not contain the key to forge one.
SIGNS_BACKUPS = "AUDIT_KEY_FILE"
ENVIRONMENT = "keys.env"
_RINGS = ("LINK_KEYS", "ENCRYPTION_KEYS")
_NAMES = ("SECRET_KEY", *_RINGS)


def write(folder: Path) -> list[Path]:
    """Write the keys of this process into the new `folder`; returns the files.

    Leaves out the key that signs backups.
    """
    folder.mkdir(mode=0o700)
    written = [folder / ENVIRONMENT]
    private_files.write_new(written[0], _environment())
    for name in FILES:
        source = getattr(settings, name, "")
        if source and name != SIGNS_BACKUPS:
            written.append(folder / _file_name(name))
            private_files.write_new(written[-1], Path(source).read_bytes())
    private_files.sync(folder)
    return written


def check(folder: Path) -> list[str]:
    """The names of the keys in a backup; empty without any. Raises BackupError for a bad file."""
    if not folder.is_dir():
        return []
    files = sorted(folder.glob("*.pem"))
    for path in files:
        try:
            load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise BackupError(f"{path} does not contain a private key") from error
    return [ENVIRONMENT, *(path.name for path in files)]


def _file_name(setting: str) -> str:
    """The file of a setting's key in a backup, such as `manifest-key.pem`."""
    return f"{setting.removesuffix('_FILE').lower().replace('_', '-')}.pem"


def _environment() -> str:
    """The keys in use in the format of `DATA_DIR/keys.env`, with its other lines."""
    rings = [f"{name}={','.join(_ring(name))}" for name in _RINGS]
    effective = [f"SECRET_KEY={settings.SECRET_KEY}", *rings]
    file = _environment_file()
    lines = file.read_text().splitlines() if file is not None and file.exists() else []
    others = [line for line in lines if line.partition("=")[0] not in _NAMES]
    return "".join(f"{line}\n" for line in [*effective, *others])


def _ring(name: str) -> list[str]:
    """The keys of a ring in the environment's format, newest first."""
    return [f"{key_id}:{key.hex()}" for key_id, key in getattr(settings, name).items()]


def _environment_file() -> Path | None:
    """`DATA_DIR/keys.env`; None in production, where the environment holds these keys."""
    folder = getattr(settings, "DATA_DIR", None)
    return data_dir.keys_file(Path(folder)) if folder else None


# -- restoring ------------------------------------------------------------------------------


@dataclass(frozen=True)
class RestoredKey:
    """The outcome of restoring a key; `remedy` is what the operator must still do."""

    name: str
    outcome: str
    remedy: str = ""


def restore(folder: Path) -> list[RestoredKey]:
    """Write each key that this install lacks; never overwrites one. Raises BackupError."""
    if not folder.is_dir():
        return []
    found = [(name, folder / _file_name(name)) for name in FILES]
    return [
        _restore_environment(folder / ENVIRONMENT),
        *(_restore_file(name, source) for name, source in found if source.exists()),
        *_missing_signer(folder),
    ]


def _missing_signer(folder: Path) -> Iterator[RestoredKey]:
    """The key that signs backups, if neither this install nor an older backup has it."""
    path = getattr(settings, SIGNS_BACKUPS, "")
    if path and not Path(path).exists() and not (folder / _file_name(SIGNS_BACKUPS)).exists():
        yield RestoredKey(
            SIGNS_BACKUPS,
            "is in no backup",
            f"put the copy of your audit key at {path}, or begin with a new one"
            " (docs/operating.md#keys); older heads stay valid",
        )


def make_new() -> list[RestoredKey]:
    """Create each key that this install lacks, to replace lost ones. Raises BackupError.

    `keys.env` gets the keys that this process has generated for itself.
    """
    makers = [
        (ENVIRONMENT, _environment_file(), _environment),
        ("MANIFEST_KEY_FILE", settings.MANIFEST_KEY_FILE, data_dir.new_manifest_key),
        ("AUDIT_KEY_FILE", settings.AUDIT_KEY_FILE, data_dir.new_audit_key),
    ]
    return [_make(name, Path(path), content) for name, path, content in makers if path]


def _make(name: str, path: Path, content: Callable[[], str]) -> RestoredKey:
    if path.exists():
        return RestoredKey(name, "already present")
    _put(path, content())
    return RestoredKey(name, "made anew")


def _restore_environment(source: Path) -> RestoredKey:
    values, target = _read_environment(source), _environment_file()
    if target is not None and not target.exists():
        _write(source, target)
        others = ", ".join(name for name in values if name not in _NAMES)
        remedy = f"{target} also sets {others}: update any outdated values" if others else ""
        return RestoredKey(ENVIRONMENT, "restored", remedy)
    differing = " and ".join(name for name in _NAMES if not _is_ours(name, values.get(name, "")))
    if not differing:
        return RestoredKey(ENVIRONMENT, "already present")
    return RestoredKey(
        ENVIRONMENT,
        f"has another {differing} than this install, which was not changed",
        "sessions (SECRET_KEY), links (LINK_KEYS), second factors and queued mails"
        f" (ENCRYPTION_KEYS) of the backup need its keys: take {differing} from {source}",
    )


def _restore_file(name: str, source: Path) -> RestoredKey:
    if not getattr(settings, name, ""):
        return RestoredKey(
            name,
            "is not set in this process, so its key stays in the backup",
            f"give the workers {source} as {name}",
        )
    target = Path(getattr(settings, name))
    if not target.exists():
        _write(source, target)
        return RestoredKey(name, "restored")
    if target.read_bytes() == source.read_bytes():
        return RestoredKey(name, "already present")
    return RestoredKey(
        name,
        f"differs from the key of this install, which was not changed: {target}",
        f"to sign with the key of the backup, put {source} in its place",
    )


def _write(source: Path, target: Path) -> None:
    _put(target, source.read_text(), f"put {source} there manually")


def _put(
    target: Path, content: str, remedy: str = "create a key there (docs/operating.md#keys)"
) -> None:
    """Create the file and its folder; keep an existing file. Raises BackupError."""
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        data_dir.write_once(target, content)
    except OSError as error:
        raise BackupError(
            f"{target} cannot be written ({error.strerror}); {remedy}, then run"
            " the same command again"
        ) from error


def _is_ours(name: str, value: str) -> bool:
    """True if this process accepts the backup's key; its rings may have newer keys as well.

    A backup of an earlier release has no ENCRYPTION_KEYS and nothing encrypted.
    """
    if name == "SECRET_KEY":
        return value == settings.SECRET_KEY
    return not value or set(value.split(",")) <= set(_ring(name))


def _read_environment(path: Path) -> dict[str, str]:
    lines = [line.partition("=") for line in path.read_text().splitlines() if "=" in line]
    return {name.strip(): value for name, _, value in lines if not name.startswith("#")}
