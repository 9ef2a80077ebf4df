"""`manage.py create_account`: create an account with a confirmed mail address."""

import sys
from getpass import getpass
from typing import Any

from django.core.management import CommandError, CommandParser

from accounts.management.base import PortalCommand
from accounts.management.people import find_tier
from accounts.roles.permissions import Role
from accounts.users.services import create_account


class Command(PortalCommand):
    help = "Create an account with a confirmed mail address, with or without staff roles."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("email")
        parser.add_argument("--role", action="append", default=[], choices=Role.values)
        parser.add_argument(
            "--tier", action="append", default=[], help="limit the roles to this tier"
        )
        parser.add_argument(
            "--password-stdin",
            action="store_true",
            help="read the password from standard input; a terminal prompts for it twice",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["tier"] and not options["role"]:
            raise CommandError("--tier needs --role: it limits roles to a tier")
        password = _read_password() if options["password_stdin"] else None
        user = create_account(
            options["username"],
            options["email"],
            password=password,
            roles=[Role(role) for role in options["role"]],
            tiers=[find_tier(slug) for slug in options["tier"]],
        )
        self.stdout.write(user.username)


def _read_password() -> str:
    """Return the first line of standard input; at a terminal, prompt twice without echo."""
    if sys.stdin.isatty():
        return _prompt()
    password = sys.stdin.readline().rstrip("\n")
    if not password:
        raise CommandError("standard input was empty; write the password as its first line")
    return password


def _prompt() -> str:
    try:
        password = getpass("Password: ")
        if getpass("Password (again): ") != password:
            raise CommandError("the two passwords differ; run the command again")
    except EOFError as error:
        raise CommandError("no password was typed; run the command again") from error
    if not password:
        raise CommandError("the password was empty; run the command again")
    return password
