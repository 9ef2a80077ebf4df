"""`manage.py verify_audit`: check that the sealed audit trail is unaltered."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.audit.merkle_log import keys, signed_notes
from accounts.audit.merkle_log.signed_notes import Note, NoteRefused, Verifier
from accounts.audit.merkle_log.verification import TrailAltered, TrailVerification, Verified
from accounts.audit.models import SignedHead


class Command(BaseCommand):
    help = "Check every sealed row of trail and ledger, the batches and the signed heads."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--head",
            metavar="FILE",
            type=Path,
            help="also compare with the heads in this file, such as a mailed one",
        )
        parser.add_argument(
            "--key",
            metavar="VKEY",
            help="the key that signed them, as name+id+key; by default the recorded ones",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["key"] and not options["head"]:
            raise CommandError("--key verifies the heads of a file; name the file with --head")
        copies = self._copies(options["head"], options["key"])
        started = time.monotonic()
        verification = TrailVerification(copies=copies)
        try:
            verification.run()
        except TrailAltered as error:
            raise CommandError(str(error)) from error
        finally:
            self._print_counts(verification.verified, time.monotonic() - started)
        self.stdout.write(_verdict(verification.verified, compared=bool(copies)))

    def _print_counts(self, verified: Verified, seconds: float) -> None:
        self.stdout.write(f"rows checked: {verified.rows}")
        self.stdout.write(f"batches: {verified.batches}")
        self.stdout.write(f"signed heads: {verified.heads}")
        self.stdout.write(f"rows a second: {verified.rows / max(seconds, 1e-9):.0f}")
        if compromised := SignedHead.objects.compromised().count():
            self.stdout.write(f"signed with a compromised key, and no proof: {compromised} heads")

    def _copies(self, file: Path | None, vkey: str | None) -> list[Note]:
        """Return a file's heads that are signed by `vkey` or a recorded key, uncompromised."""
        if file is None:
            return []
        try:
            candidates = list(signed_notes.find(file.read_text(encoding="utf-8")))
            if not candidates:
                raise NoteRefused("it contains no signed head; use the mail or file unchanged")
            verifiers = [Verifier.parse(vkey)] if vkey else keys.recorded_verifiers()
            trusted = [note for note in candidates if self._proves(note, _signer(note, verifiers))]
            if not trusted:
                raise NoteRefused("it contains no head that proves anything; see /keys/")
        except OSError as error:
            raise CommandError(f"{file} cannot be read ({error.strerror})") from error
        except (UnicodeDecodeError, NoteRefused) as error:
            raise CommandError(f"{file}: {error}") from error
        return trusted

    def _proves(self, note: Note, key: Verifier) -> bool:
        mark = keys.compromise_of(note, key)
        if mark is not None:
            self.stderr.write(
                f"the head over {note.size} rows proves nothing: {key.vkey} is compromised since"
                f" {mark.since:%Y-%m-%d %H:%M} UTC"
            )
        return mark is None


def _verdict(verified: Verified, *, compared: bool) -> str:
    """Return the last line of the output for an intact trail."""
    if not verified.batches:
        return "verdict: nothing is sealed yet, so there was nothing to check"
    if compared:
        return "verdict: intact, and it agrees with the heads of the file"
    return "verdict: intact; to detect a complete replacement, compare a stored head (--head FILE)"


def _signer(note: Note, verifiers: list[Verifier]) -> Verifier:
    """Return the key that signed the head. Raises NoteRefused."""
    signers = {(name, key_id) for name, key_id, _ in note.signatures}
    for key in verifiers:
        if (key.name, key.key_id) in signers:
            note.verify(key)
            return key
    raise NoteRefused(
        f"the head over {note.size} rows is signed by an unknown key;"
        " pass the key that you trust with --key"
    )
