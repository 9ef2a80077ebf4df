"""`manage.py revoke`: end a person's access to a tier."""

from typing import Any

from django.core.management import CommandParser
from django.utils import timezone

from accounts.grants import break_glass
from accounts.grants.outstanding_links import build_receipt
from accounts.management.base import PortalCommand
from accounts.management.people import find_tier, find_user


class Command(PortalCommand):
    help = (
        "Revoke a person's grant for a tier; the next request for its bytes is refused. Prints "
        "to stderr the storage addresses that were issued before and still work."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("tier")
        parser.add_argument("--reason", required=True, help="stored in the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        user, tier = find_user(options["username"]), find_tier(options["tier"])
        grant = break_glass.revoke(user, tier, reason=options["reason"])
        for address in build_receipt(grant, timezone.now()).alive:
            until = f"{address.ends_at:%Y-%m-%d %H:%M:%S} UTC"
            self.stderr.write(f"works until {until}: {address.name}")
        self.stdout.write(str(grant.public_id))
