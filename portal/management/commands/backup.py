"""`manage.py backup`: database, blobs and keys into a folder."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from portal.backup import take
from portal.errors import BackupError
from weights.errors import WeightsError
from weights.integrity import progress_bars
from weights.manifests import checking


class Command(BaseCommand):
    help = (
        "Back up database, blobs and keys while the portal runs, into a folder named by the time"
        " below FOLDER. Blobs are kept once for all backups there; prints the folder's name."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", metavar="FOLDER", type=Path)
        where = parser.add_mutually_exclusive_group()
        where.add_argument(
            "--blobs",
            metavar="ADDRESS",
            default="",
            help="copy blobs to this store (file:///folder, s3://bucket/prefix), not FOLDER/blobs",
        )
        where.add_argument(
            "--no-blobs", action="store_true", help="list them only: the store has its own copies"
        )
        parser.add_argument(
            "--no-keys", action="store_true", help="keys are kept elsewhere, apart from the rest"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        wish = take.Wish(options["blobs"], options["no_blobs"], options["no_keys"])
        total = 0 if wish.without_blobs else checking.bytes_to_read(None)
        try:
            with progress_bars.lazy_bar(total, "Copying") as advance:
                taken = take.take(options["folder"], timezone.now(), wish, advance)
        except (BackupError, WeightsError, DatabaseError, OSError) as error:
            raise CommandError(str(error)) from error
        self._tell(taken)
        self.stdout.write(str(taken.folder))
        if taken.damaged:
            raise CommandError(
                f"{len(taken.damaged)} blobs could not be copied, and the rest is whole; publish"
                " good copies of their files, then take another backup"
            )

    def _tell(self, taken: take.Taken) -> None:
        """Counts on stderr; stdout stays for the folder."""
        self.stderr.write(f"database: {taken.database_bytes} bytes")
        self.stderr.write(f"keys: {', '.join(taken.keys) or 'none'}")
        self.stderr.write(
            f"blobs: {taken.blobs}, copied {taken.copied} ({taken.copied_bytes} bytes),"
            f" present {taken.present}, damaged {len(taken.damaged)}"
        )
        for line in taken.damaged:
            self.stderr.write(line)
