"""`manage.py move_database`: copy all rows to another database, SQLite or PostgreSQL."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.management.base import PortalCommand, sample_of
from portal.database_move.move import move


class Command(PortalCommand):
    help = (
        "Copy every row of this install's database to the empty database TARGET_URL and check the"
        " audit trail and the manifests there. Stop web, worker and beat first. An interrupted move"
        " starts over when it is run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "target",
            metavar="TARGET_URL",
            help="postgres://user@host/name (password: DATABASE_PASSWORD) or sqlite:////path",
        )
        parser.add_argument(
            "--sample", type=int, metavar="N", help="at the end read N blobs drawn at random"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            move(options["target"], self._print, sample=sample_of(options))
        except KeyboardInterrupt as error:
            raise CommandError(
                "stopped: the target must not be used, and the source is unchanged; run the same"
                " command again to start over",
                returncode=130,
            ) from error
        self.stdout.write(
            "Moved. Set DATABASE_URL to the target for every process and command, then start the"
            " portal; do not use the old database any more."
        )

    def _print(self, line: str) -> None:
        self.stderr.write(line)
        self.stderr.flush()
