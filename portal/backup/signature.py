"""The signature of a backup: `backup.sig` has a public key and its signature of `backup.json`.

The index has the hash of every other file, and the list of blobs the hash of every blob, so one
signature covers the whole backup. The key in `backup.sig` proves nothing by itself: it must be
one that the reading machine trusts from elsewhere. A backup never contains the private key.
"""

from argparse import ArgumentParser
from base64 import b64decode, b64encode
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from accounts.audit.merkle_log import copies, keys, signed_heads
from accounts.audit.merkle_log.signed_notes import NoteRefused, Verifier
from portal.backup import layout
from portal.databases.checks import Say
from portal.errors import BackupError
from portal.settings import private_files

#: Prefix of the signed index, so that the signature cannot pass for one of a head of the trail.
_CONTEXT = b"weighbridge-backup\n"
_WHERE = "the key's line on the portal's page /keys/, or in a mailed head"


def add_trust_arguments(parser: ArgumentParser) -> None:
    """Add the options of every command that makes or reads a backup."""
    parser.add_argument(
        "--key",
        metavar="NAME+ID+KEY",
        default="",
        help="trust this public key alone; by default AUDIT_KEY_FILE and AUDIT_HEAD_COPY",
    )
    parser.add_argument(
        "--unsigned",
        action="store_true",
        help="make or accept a backup that no trusted key has signed",
    )


def signing_key() -> Ed25519PrivateKey:
    """The audit key of this process. Raises BackupError if it is missing or compromised."""
    key = signed_heads.private_key()
    if key is None:
        raise BackupError(
            "AUDIT_KEY_FILE is not set here, so the backup would have no signature: run this in a"
            " worker, which has the key, or add --unsigned"
        )
    if keys.find_mark(Verifier("", key.public_key())) is not None:
        raise BackupError(
            "AUDIT_KEY_FILE holds a compromised key; put a new one in its place (docs/audit.md)"
        )
    return key


def sign(folder: Path, key: Ed25519PrivateKey) -> str:
    """Write the signature of the finished index; returns the public key, `name+id+key`."""
    verifier = Verifier(signed_heads.origin(), key.public_key())
    raw = key.sign(_CONTEXT + (folder / layout.INDEX).read_bytes())
    private_files.write_new(folder / layout.SIGNATURE, _text(verifier, raw))
    return verifier.vkey


def _text(verifier: Verifier, signature: bytes) -> str:
    return f"{verifier.vkey}\n{b64encode(signature).decode()}\n"


def check(folder: Path, say: Say, *, vkey: str = "", unsigned: bool = False) -> None:
    """Check the signature, and that its key is `vkey` or, without `vkey`, trusted here.

    `unsigned` accepts a backup without a signature or with an untrusted key, but never an invalid
    signature. Raises BackupError.
    """
    layout.read_index(folder)  # refuses a folder that is not a backup
    trusted = _parsed(vkey) if vkey else None
    signer = _signer(folder)
    reason = _voucher(signer, trusted) if signer else ""
    if signer and reason:
        say(f"signature: by {signer.key_id.hex()}, trusted by {reason}")
    elif unsigned:
        say("signature: NOT CHECKED (--unsigned): nothing shows who made this backup")
    else:
        raise BackupError(_refusal(folder, signer, trusted))


def _refusal(folder: Path, signer: Verifier | None, trusted: Verifier | None) -> str:
    if signer is None:
        return (
            f"{folder} has no {layout.SIGNATURE}: nothing shows who made it; use a signed backup,"
            " or add --unsigned for one that was made before backups were signed"
        )
    theirs = f"{folder} is signed by the key {signer.key_id.hex()}"
    if trusted is not None:
        return f"{theirs}, not by the one of --key; use a backup that your portal signed"
    return (
        f"{theirs}, which nothing here vouches for; add --key with {_WHERE} (not from the backup),"
        " or set AUDIT_HEAD_COPY"
    )


def _parsed(vkey: str) -> Verifier:
    try:
        return Verifier.parse(vkey)
    except NoteRefused as error:
        raise BackupError(f"--key: {error}; copy {_WHERE}") from error


def _signer(folder: Path) -> Verifier | None:
    """The key that signed the index; None if unsigned. Raises BackupError for an invalid signature.

    Backups of the older format have none.
    """
    path = folder / layout.SIGNATURE
    try:
        text = path.read_text()
        vkey, signature, _ = text.split("\n")
        verifier, raw = Verifier.parse(vkey), b64decode(signature, validate=True)
        if text != _text(verifier, raw):
            raise ValueError("it is spelt differently")
        verifier.key.verify(raw, _CONTEXT + (folder / layout.INDEX).read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BackupError(f"{path} cannot be read ({error.strerror})") from error
    except InvalidSignature as error:
        raise BackupError(
            f"{folder / layout.INDEX} is not what was signed: it was changed or is damaged; use"
            " another backup"
        ) from error
    except ValueError as error:
        raise BackupError(
            f"{path} is damaged: it holds no signature; use another backup"
        ) from error
    return verifier


# -- trust ----------------------------------------------------------------------------------


def _voucher(signer: Verifier, trusted: Verifier | None) -> str:
    """The source outside the backup that makes the key trusted; empty if none does."""
    if trusted is not None:
        return "--key" if trusted.public == signer.public else ""
    if _is_own(signer):
        return settings.AUDIT_KEY_FILE
    return settings.AUDIT_HEAD_COPY if _signed_the_newest_copy(signer) else ""


def _is_own(signer: Verifier) -> bool:
    """True for this install's own key, whose file may be missing before a restore."""
    if not settings.AUDIT_KEY_FILE or not Path(settings.AUDIT_KEY_FILE).exists():
        return False
    key = signed_heads.private_key()
    return key is not None and Verifier("", key.public_key()).public == signer.public


def _signed_the_newest_copy(signer: Verifier) -> bool:
    """True if the newest head at AUDIT_HEAD_COPY verifies with the key.

    An older head does not count: its key may have been replaced because it had leaked.
    """
    try:
        copied = copies.read()
    except OSError as error:
        raise BackupError(f"AUDIT_HEAD_COPY cannot be read ({error}); add --key instead") from error
    if not copied:
        return False
    try:
        copied[-1].verify(Verifier(copied[-1].origin, signer.key))
    except NoteRefused:
        return False
    return True
