"""`manage.py restore`: a whole portal back from a backup, into an empty install."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from portal.backup import afterwards, restore
from portal.errors import BackupError, QuickstartError
from weights.errors import WeightsError
from weights.integrity import progress_bars


class Command(BaseCommand):
    help = (
        "Bring the portal back from BACKUP into an empty install: keys, database and blobs, each"
        " proved, then every check. Nothing that stands is overwritten; run it again to go on."
    )
    # The database is not there yet; migrate runs the checks that matter.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("backup", metavar="BACKUP", type=Path, help="FOLDER/<time>")
        where = parser.add_mutually_exclusive_group()
        where.add_argument(
            "--blobs", metavar="ADDRESS", default="", help="where the blobs are now, if moved"
        )
        where.add_argument(
            "--no-blobs", action="store_true", help="copy none: the portal's store still stands"
        )
        parser.add_argument(
            "--incomplete",
            action="store_true",
            help="restore the rest of a backup that lacks some of its blobs",
        )
        parser.add_argument(
            "--sample", type=int, metavar="N", help="at the end read N blobs drawn at random"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sample: int | None = options["sample"]
        if sample is not None and sample < 0:
            raise CommandError(f"--sample {sample}: name a number of blobs, 0 or more")
        wish = restore.Wish(options["blobs"], options["no_blobs"], options["incomplete"], sample)
        tell = restore.Tell(self._say, progress_bars.lazy_bar)
        try:
            restored = restore.restore(options["backup"], wish, tell)
            self._tell_what_is_next(restored)
        except (BackupError, QuickstartError, WeightsError, DatabaseError, OSError) as error:
            raise CommandError(" ".join(str(error).split())) from error
        if restored.failed:
            raise CommandError(
                f"the portal is restored, but for {', '.join(restored.failed)}; the lines above say"
                " what. Put good copies into the store, then run the same again"
            )

    def _tell_what_is_next(self, restored: restore.Restored) -> None:
        for line in ["", *afterwards.lines(restored)]:
            self._say(line)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
