"""`manage.py file_link`: issue a signed URL of one file, as the gate allows."""

from typing import Any

from django.core.management import CommandError, CommandParser

from accounts.management.base import PortalCommand
from accounts.management.people import find_user
from weights.delivery import file_links
from weights.errors import WeightsError
from weights.gate.caller import Caller


class Command(PortalCommand):
    help = "Issue a signed URL of one file for a person; print only the URL on stdout."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("repo_id", metavar="ORG/NAME")
        parser.add_argument("path")
        parser.add_argument("--revision", default="main")
        parser.add_argument("--seconds", type=int, help="by the file's size if omitted")

    def handle(self, *args: Any, **options: Any) -> None:
        caller = Caller(user=find_user(options["username"]), kind="command")
        try:
            address = file_links.issue(
                caller, options["repo_id"], options["revision"], options["path"], options["seconds"]
            )
        except WeightsError as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(address)
