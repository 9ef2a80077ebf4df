"""`manage.py checkpoint_link`: issue one signed URL for a whole checkpoint."""

from typing import Any

from django.core.management import CommandError, CommandParser

from accounts.management.base import PortalCommand
from accounts.management.people import find_user
from weights.delivery import links
from weights.errors import WeightsError


class Command(PortalCommand):
    help = "Issue a checkpoint link and print only the URL of its folder on stdout."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("repo_id", metavar="ORG/NAME")
        parser.add_argument("--hours", type=int, default=168)

    def handle(self, *args: Any, **options: Any) -> None:
        user = find_user(options["username"])
        try:
            address = links.issue_now(user, options["repo_id"], options["hours"])
        except WeightsError as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(address)
