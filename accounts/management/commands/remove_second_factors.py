"""`manage.py remove_second_factors`: remove authenticator apps and recovery codes."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.core.management import CommandError, CommandParser
from django.db import transaction

from accounts.encryption import key_rotation
from accounts.management.base import PortalCommand
from accounts.management.people import find_user


class Command(PortalCommand):
    help = (
        "Remove the authenticator app and recovery codes of one account, whose holder has lost "
        "them, or all that were encrypted with lost keys. Then the password alone signs in, and "
        "roles of staff rest until a new factor is set up. Passkeys stay. Check first that the "
        "request comes from the holder."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", nargs="?")
        parser.add_argument(
            "--unreadable", action="store_true", help="all that ENCRYPTION_KEYS does not decrypt"
        )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["username"]) == options["unreadable"]:
            raise CommandError("give the NAME of an account, or --unreadable")
        if options["unreadable"]:
            found = key_rotation.unreadable_factors()
        else:
            user = find_user(options["username"])
            kinds = [Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES]
            found = list(Authenticator.objects.filter(user=user, type__in=kinds))
        for factor in found:
            factor.delete()
            self.stdout.write(f"{factor.user.username}: {factor.type} removed")
        if not found:
            self.stdout.write("nothing to remove")
