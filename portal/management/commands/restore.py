"""`manage.py restore`: restore a whole portal from a backup into an empty install."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from accounts.management.base import PortalCommand, sample_of
from portal.backup.restore import Options, next_steps, restore
from portal.backup.signature import add_trust_arguments


class Command(PortalCommand):
    help = (
        "Restore keys, database and blobs of BACKUP into an empty install, then run every check."
        " Overwrites nothing; run it again to continue."
    )
    # The database does not exist yet; migrate runs the checks that matter.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("backup", metavar="BACKUP", type=Path, help="FOLDER/<time>")
        store = parser.add_mutually_exclusive_group()
        store.add_argument(
            "--blobs", metavar="ADDRESS", default="", help="where the blobs are now, if moved"
        )
        store.add_argument(
            "--no-blobs", action="store_true", help="copy none: the portal's store still exists"
        )
        parser.add_argument(
            "--incomplete",
            action="store_true",
            help="restore the rest of a backup that lacks some of its blobs",
        )
        parser.add_argument(
            "--sample", type=int, metavar="N", help="at the end read N blobs drawn at random"
        )
        parser.add_argument(
            "--without-keys",
            action="store_true",
            help="make new keys in place of the backup's, which are lost or damaged",
        )
        parser.add_argument(
            "--accept-rollback",
            action="store_true",
            help="restore an earlier state than a head at AUDIT_HEAD_COPY shows; on record",
        )
        add_trust_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        what = Options(
            options["blobs"],
            options["no_blobs"],
            options["incomplete"],
            sample_of(options),
            without_keys=options["without_keys"],
            vkey=options["key"],
            unsigned=options["unsigned"],
            accept_rollback=options["accept_rollback"],
        )
        restored = restore(options["backup"], what, self.print_now)
        for line in ["", *next_steps(restored)]:
            self.print_now(line)
        if restored.failed:
            raise CommandError(
                f"the portal is restored except for {', '.join(restored.failed)}; see the lines"
                " above. Put good copies into the store, then run the same command again"
            )
