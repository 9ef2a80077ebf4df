"""`manage.py verify_audit`: is the sealed trail as it was written?"""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import SignedHead
from accounts.sealing import notes
from accounts.sealing.checking import Check, TrailAltered
from accounts.sealing.notes import Note, NoteRefused, Verifier


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
            help="the key that signed them, as name+id+key; else those on record here",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        copies = _copies(options["head"], options["key"])
        started = time.monotonic()
        check = Check(copies=copies)
        try:
            check.to_the_end()
        except TrailAltered as error:
            raise CommandError(str(error)) from error
        finally:
            self._tell(check, time.monotonic() - started)

    def _tell(self, check: Check, seconds: float) -> None:
        done = check.done
        self.stdout.write(f"rows checked: {done.rows}")
        self.stdout.write(f"batches: {done.batches}")
        self.stdout.write(f"signed heads: {done.heads}")
        self.stdout.write(f"rows a second: {done.rows / max(seconds, 1e-9):.0f}")


def _copies(file: Path | None, vkey: str | None) -> list[Note]:
    """The heads in a file, each signed by the key that is named or by one on record."""
    if file is None:
        return []
    try:
        found = list(notes.find(file.read_text(encoding="utf-8")))
        if not found:
            raise NoteRefused("it holds no signed head; give the mail or file as it came")
        keys = [vkey] if vkey else _on_record()
        for note in found:
            _verify(note, [Verifier.read(key) for key in keys])
    except (OSError, UnicodeDecodeError, NoteRefused) as error:
        raise CommandError(f"{file}: {error}") from error
    return found


def _on_record() -> list[str]:
    return list(SignedHead.objects.order_by().values_list("vkey", flat=True).distinct())


def _verify(note: Note, keys: list[Verifier]) -> None:
    signers = {(name, key_id) for name, key_id, _ in note.signatures}
    for key in keys:
        if (key.name, key.key_id) in signers:
            note.verify(key)
            return
    raise NoteRefused(
        f"the head over {note.size} rows is signed by no key on record here;"
        " name the key that you trust with --key"
    )
