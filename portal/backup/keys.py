"""The keys of an install, as files: without them a restored portal is another one.

Tokens and links are checked by hash and MAC, sessions by SECRET_KEY, and manifests and heads
are signed by keys that no database holds.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings

from portal.backup import layout
from portal.errors import BackupError
from portal.settings import data_dir

#: Settings that name a key's file, where this process has it.
FILES = ("MANIFEST_KEY_FILE", "AUDIT_KEY_FILE", "CDN_KEY_FILE")
ENVIRONMENT = "keys.env"


def write(folder: Path) -> list[Path]:
    """Every key that this process knows, in files for their owner alone; the paths written."""
    folder.mkdir(mode=0o700)
    written = [folder / ENVIRONMENT]
    layout.write(written[0], _environment())
    for name in FILES:
        if source := getattr(settings, name, ""):
            written.append(folder / _file_name(name))
            layout.write(written[-1], Path(source).read_bytes())
    layout.settle(folder)
    return written


def _file_name(setting: str) -> str:
    """What the key of a setting is called in a backup, such as `manifest-key.pem`."""
    return f"{setting.removesuffix('_FILE').lower().replace('_', '-')}.pem"


def _environment() -> str:
    """As `DATA_DIR/keys.env` has it, with what else an embedded install keeps there."""
    ring = ",".join(f"{key_id}:{key.hex()}" for key_id, key in settings.LINK_KEYS.items())
    effective = [f"SECRET_KEY={settings.SECRET_KEY}", f"LINK_KEYS={ring}"]
    file = _environment_file()
    kept = file.read_text().splitlines() if file is not None and file.exists() else []
    others = [line for line in kept if not line.startswith(("SECRET_KEY=", "LINK_KEYS="))]
    return "".join(f"{line}\n" for line in [*effective, *others])


def prove(folder: Path) -> list[str]:
    """The names of the keys in a backup, each of which can be read. Raises BackupError."""
    files = sorted(folder.glob("*.pem"))
    for path in files:
        try:
            load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise BackupError(f"{path} holds no private key") from error
    return [ENVIRONMENT, *(path.name for path in files)]


# -- back to where an install looks for them ------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A key of a backup, and the file in which this install looks for it, if it has one."""

    source: Path
    name: str
    target: Path | None


@dataclass(frozen=True)
class Placed:
    """What became of a key, in words that follow its name; `remedy` where a hand is needed."""

    name: str
    outcome: str
    remedy: str = ""


def places(folder: Path) -> list[Place]:
    """Where each key of a backup goes. Raises BackupError for one that cannot be read."""
    if not folder.is_dir():
        return []
    prove(folder)
    found = [Place(folder / ENVIRONMENT, ENVIRONMENT, _environment_file())]
    for name in FILES:
        source = folder / _file_name(name)
        if source.exists():
            target = getattr(settings, name, "")
            found.append(Place(source, name, Path(target) if target else None))
    return found


def put_back(found: list[Place]) -> list[Placed]:
    """Write each key that is missing; no other one is ever overwritten. Raises BackupError."""
    return [_put_environment(p) if p.name == ENVIRONMENT else _put_file(p) for p in found]


def _put_environment(place: Place) -> Placed:
    told = _read_environment(place.source)
    if place.target is not None and not place.target.exists():
        _write(place.source, place.target)
        others = [name for name in told if name not in {"SECRET_KEY", "LINK_KEYS"}]
        remedy = (
            f"{place.target} also sets {', '.join(others)}: change what is no longer so"
            if others
            else ""
        )
        return Placed(place.name, "put back", remedy)
    differ = [name for name in ("SECRET_KEY", "LINK_KEYS") if not _is_known(name, told)]
    if not differ:
        return Placed(place.name, "in place")
    return Placed(
        place.name,
        f"holds another {' and '.join(differ)} than this install, whose own is kept",
        f"sessions (SECRET_KEY) and links (LINK_KEYS) of the backup are good only with its own:"
        f" take {' and '.join(differ)} from {place.source}",
    )


def _put_file(place: Place) -> Placed:
    if place.target is None:
        return Placed(
            place.name,
            "is not set here, so its key stays in the backup",
            f"give the workers {place.source} as {place.name}",
        )
    if not place.target.exists():
        _write(place.source, place.target)
        return Placed(place.name, "put back")
    if place.target.read_bytes() == place.source.read_bytes():
        return Placed(place.name, "in place")
    return Placed(
        place.name,
        f"is another key here, which is kept: {place.target}",
        f"to sign with the key of the backup, put {place.source} in its place",
    )


def _write(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        data_dir.write_once(target, source.read_text())
    except OSError as error:
        raise BackupError(
            f"{target} cannot be written ({error.strerror}); put {source} there by hand, then run"
            " the same again"
        ) from error


def _is_known(name: str, told: dict[str, str]) -> bool:
    """Whether this process has the key of a backup, which may have got newer ones since."""
    if name == "SECRET_KEY":
        return told.get(name) == settings.SECRET_KEY
    ours = {f"{key_id}:{key.hex()}" for key_id, key in settings.LINK_KEYS.items()}
    return set(told.get(name, "").split(",")) <= ours


def _read_environment(path: Path) -> dict[str, str]:
    lines = [line.partition("=") for line in path.read_text().splitlines() if "=" in line]
    return {name.strip(): value for name, _, value in lines if not name.startswith("#")}


def _environment_file() -> Path | None:
    """Only an embedded install has one; others get these keys from whoever starts them."""
    folder = getattr(settings, "DATA_DIR", None)
    return data_dir.keys_file(Path(folder)) if folder else None
