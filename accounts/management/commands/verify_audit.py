"""`manage.py verify_audit`: check that the sealed audit trail is unaltered."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.audit.merkle_log import keys, notes
from accounts.audit.merkle_log.checking import Check, TrailAltered
from accounts.audit.merkle_log.notes import Note, NoteRefused, Verifier
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
            help="the key that signed them, as name+id+key; by default the keys on record here",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["key"] and not options["head"]:
            raise CommandError("--key judges the heads of a file; name the file with --head")
        copies = self._copies(options["head"], options["key"])
        started = time.monotonic()
        check = Check(copies=copies)
        try:
            check.to_the_end()
        except TrailAltered as error:
            raise CommandError(str(error)) from error
        finally:
            self._print_counts(check, time.monotonic() - started)
        self.stdout.write(_verdict(check, compared=bool(copies)))

    def _print_counts(self, check: Check, seconds: float) -> None:
        done = check.done
        self.stdout.write(f"rows checked: {done.rows}")
        self.stdout.write(f"batches: {done.batches}")
        self.stdout.write(f"signed heads: {done.heads}")
        self.stdout.write(f"rows a second: {done.rows / max(seconds, 1e-9):.0f}")
        doubts = SignedHead.objects.doubtful().count()
        if doubts:
            self.stdout.write(f"signed with a compromised key, and no proof: {doubts} heads")

    def _copies(self, file: Path | None, vkey: str | None) -> list[Note]:
        """The heads in a file that prove something, each signed by `vkey` or a key on record."""
        if file is None:
            return []
        try:
            found = list(notes.find(file.read_text(encoding="utf-8")))
            if not found:
                raise NoteRefused("it holds no signed head; give the mail or file as it came")
            known = [Verifier.read(vkey)] if vkey else keys.on_record()
            good = [note for note in found if self._proves(note, _signer(note, known))]
            if not good:
                raise NoteRefused("it holds no head that proves anything; /keys/ says why")
        except OSError as error:
            raise CommandError(f"{file} cannot be read ({error.strerror})") from error
        except (UnicodeDecodeError, NoteRefused) as error:
            raise CommandError(f"{file}: {error}") from error
        return good

    def _proves(self, note: Note, key: Verifier) -> bool:
        mark = keys.in_doubt(note, key)
        if mark is not None:
            self.stderr.write(
                f"the head over {note.size} rows proves nothing: {key.vkey} is compromised since"
                f" {mark.since:%Y-%m-%d %H:%M} UTC"
            )
        return mark is None


def _verdict(check: Check, *, compared: bool) -> str:
    """The last line of the output of an intact trail."""
    if not check.done.batches:
        return "verdict: nothing is sealed yet, so there was nothing to check"
    if compared:
        return "verdict: intact, and it agrees with the heads of the file"
    return "verdict: intact; whether all of it was replaced only a kept head shows (--head FILE)"


def _signer(note: Note, known: list[Verifier]) -> Verifier:
    """The key that signed the head. Raises NoteRefused."""
    signers = {(name, key_id) for name, key_id, _ in note.signatures}
    for key in known:
        if (key.name, key.key_id) in signers:
            note.verify(key)
            return key
    raise NoteRefused(
        f"the head over {note.size} rows is signed by no key on record here;"
        " name the key that you trust with --key"
    )
