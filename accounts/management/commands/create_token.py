"""`manage.py create_token`: create an API token and print it once."""

from typing import Any

from django.core.management import CommandParser

from accounts.api_tokens.models import ApiToken, Scope
from accounts.management.base import PortalCommand
from accounts.management.people import find_user


class Command(PortalCommand):
    help = "Create an API token and print only the token on stdout. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="created by command")
        parser.add_argument(
            "--scope", action="append", default=[], help=f"one of {', '.join(Scope.values)}"
        )
        parser.add_argument("--days", type=int, default=90)

    def handle(self, *args: Any, **options: Any) -> None:
        user = find_user(options["username"])
        _, plain = ApiToken.objects.mint(
            user, name=options["name"], scopes=options["scope"], days=options["days"]
        )
        self.stdout.write(plain)
