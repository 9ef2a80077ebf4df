"""The keys of an install, as files: without them a restored portal is another one.

Tokens and links are checked by hash and MAC, sessions by SECRET_KEY, and manifests and heads
are signed by keys that no database holds.
"""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings

from portal.backup import layout
from portal.errors import BackupError

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
            written.append(folder / f"{name.removesuffix('_FILE').lower().replace('_', '-')}.pem")
            layout.write(written[-1], Path(source).read_bytes())
    layout.settle(folder)
    return written


def _environment() -> str:
    """As `DATA_DIR/keys.env` has it, with what else an embedded install keeps there."""
    ring = ",".join(f"{key_id}:{key.hex()}" for key_id, key in settings.LINK_KEYS.items())
    effective = [f"SECRET_KEY={settings.SECRET_KEY}", f"LINK_KEYS={ring}"]
    file = Path(getattr(settings, "DATA_DIR", "/nowhere")) / ENVIRONMENT
    kept = file.read_text().splitlines() if file.exists() else []
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
