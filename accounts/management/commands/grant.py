"""`manage.py grant`: create break-glass access, with a reason in the audit trail."""

from typing import Any

from django.core.management import CommandParser

from accounts.grants import break_glass
from accounts.management.base import PortalCommand
from accounts.management.people import find_tier, find_user


class Command(PortalCommand):
    help = "Give a person a grant for a tier without a review. Running it again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("tier")
        parser.add_argument("--days", type=int, default=365)
        parser.add_argument("--reason", required=True, help="stored in the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        user, tier = find_user(options["username"]), find_tier(options["tier"])
        grant = break_glass.create(user, tier, days=options["days"], reason=options["reason"])
        self.stdout.write(str(grant.public_id))
