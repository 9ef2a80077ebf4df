"""`manage.py give_role`: give an account a staff role, for one tier or for all."""

from typing import Any

from django.core.management import CommandParser

from accounts.management.base import PortalCommand
from accounts.management.people import find_tier, find_user
from accounts.roles.permissions import Role
from accounts.roles.services import give_role_in_shell


class Command(PortalCommand):
    help = "Give an account a staff role without a second person. Running it again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("role", choices=Role.values)
        parser.add_argument("--tier", help="limit the role to this tier")

    def handle(self, *args: Any, **options: Any) -> None:
        user = find_user(options["username"])
        tier = find_tier(options["tier"]) if options["tier"] else None
        self.stdout.write(str(give_role_in_shell(user, Role(options["role"]), tier)))
