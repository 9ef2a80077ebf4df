"""`manage.py restore_drill`: prove that a backup can be restored."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from accounts.management.base import PortalCommand, sample_of
from portal.backup import drill
from portal.backup.signature import add_trust_arguments


class Command(PortalCommand):
    help = (
        "Restore BACKUP into a scratch place and check it: every file's hash, migrations, the"
        " audit trail, and every manifest against the stored bytes. Exit 1 on any difference."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("backup", metavar="BACKUP", type=Path, help="FOLDER/<time>")
        parser.add_argument(
            "--sample", type=int, metavar="N", help="read N blobs drawn at random, not all"
        )
        parser.add_argument(
            "--blobs", metavar="ADDRESS", default="", help="where the blobs are now, if moved"
        )
        parser.add_argument(
            "--scratch", type=Path, metavar="FOLDER", help="where to restore, instead of /tmp"
        )
        parser.add_argument(
            "--server",
            metavar="URL",
            default="",
            help="restore a backup of PostgreSQL on this server: postgres://user@host/postgres",
        )
        add_trust_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        drill.run(
            options["backup"],
            self.print_now,
            sample=sample_of(options),
            blobs=options["blobs"],
            scratch=options["scratch"],
            server=options["server"],
            vkey=options["key"],
            unsigned=options["unsigned"],
        )
        self.stdout.write("The backup restores the portal.")
