"""`manage.py backup`: copy database, blobs and keys into a folder."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from accounts.management import progress_bars
from accounts.management.base import PortalCommand
from portal.backup import reread, verify
from portal.backup.create import Created, Options, create
from portal.backup.signature import add_trust_arguments
from weights.manifests import store_check


class Command(PortalCommand):
    help = (
        "Back up database, blobs and keys while the portal runs, into a folder named by the time"
        " below FOLDER. All backups there share their blobs. Prints the folder's name. With"
        " --verify, read the backup FOLDER/<time> to its last byte instead, and restore nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", metavar="FOLDER", type=Path)
        store = parser.add_mutually_exclusive_group()
        store.add_argument(
            "--blobs",
            metavar="ADDRESS",
            default="",
            help="copy blobs to this store (file:///folder, s3://bucket/prefix), not FOLDER/blobs",
        )
        store.add_argument(
            "--no-blobs", action="store_true", help="only list blobs: the store has its own copies"
        )
        parser.add_argument(
            "--no-keys", action="store_true", help="leave out the keys, which you store elsewhere"
        )
        parser.add_argument(
            "--reread-gb",
            type=int,
            default=reread.MOST // 10**9,
            metavar="N",
            help="read up to N GB (10⁹ bytes) of the backup's older blobs again, in turn; replaces"
            " damaged ones, and the health page shows them. 0 reads none",
        )
        parser.add_argument(
            "--verify",
            action="store_true",
            help="check signature, files and blobs of the backup FOLDER/<time>; exit 1 on a fault",
        )
        add_trust_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verify"]:
            return self._verify(options)
        if options["key"]:
            raise CommandError("--key judges a finished backup: add --verify")
        what = Options(
            options["blobs"],
            options["no_blobs"],
            options["no_keys"],
            options["unsigned"],
            max(0, options["reread_gb"]) * 10**9,
        )
        total = 0 if what.without_blobs else store_check.bytes_to_read(None)
        with progress_bars.lazy_bar(total, "Copying") as advance:
            created = create(options["folder"], timezone.now(), what, advance)
        self._print_counts(created)
        self.stdout.write(str(created.folder))
        if created.damaged:
            raise CommandError(
                f"{len(created.damaged)} blobs could not be copied; the rest is complete. Publish"
                " good copies of their files, then take another backup"
            )

    def _verify(self, options: dict[str, Any]) -> None:
        if options["no_blobs"] or options["no_keys"]:
            raise CommandError(
                "--verify reads the whole backup: leave out --no-blobs and --no-keys"
            )
        verify.run(
            options["folder"],
            self.print_now,
            self.stderr.write,
            blobs=options["blobs"],
            vkey=options["key"],
            unsigned=options["unsigned"],
        )
        self.stdout.write("The backup is as it was made.")

    def _print_counts(self, created: Created) -> None:
        """Print to stderr, since stdout contains only the folder."""
        self.stderr.write(f"database: {created.database_bytes} bytes")
        self.stderr.write(f"keys: {', '.join(created.keys) or 'none'}")
        self.stderr.write(f"signature: {created.signed_by or 'none (--unsigned)'}")
        self.stderr.write(
            f"blobs: {created.blobs}, copied {created.copied} ({created.copied_bytes} bytes),"
            f" present {created.present}, damaged {len(created.damaged)}"
        )
        again = created.reread
        self.stderr.write(
            f"read again: {again.blobs} ({again.bytes} bytes), replaced {len(again.replaced)}"
        )
        for sha256 in again.replaced:
            self.stderr.write(f"{sha256}: was damaged in the backup, and has been replaced")
        for line in created.damaged:
            self.stderr.write(line)
