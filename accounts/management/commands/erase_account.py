"""`manage.py erase_account`: erase accounts, or list those that are erased."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management import CommandError, CommandParser

from accounts.management.base import PortalCommand
from accounts.privacy import erasure
from accounts.users.models import User


class Command(PortalCommand):
    help = (
        "Erase accounts by their random ids. Repeats, after a backup was restored, the erasures "
        "that it does not contain: keep the output of --list beside your backups. An id that "
        "is erased already, or that the backup does not contain, changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("public_ids", nargs="*", metavar="ID")
        parser.add_argument("--list", action="store_true", help="print the ids of erased accounts")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"] == bool(options["public_ids"]):
            raise CommandError("give the ids to erase, or --list")
        if options["list"]:
            for person in User.objects.exclude(erased_at=None).order_by("erased_at"):
                self.stdout.write(f"{person.public_id}")
            return
        for public_id in options["public_ids"]:
            self._erase(public_id)

    def _erase(self, public_id: str) -> None:
        try:
            person = User.objects.filter(public_id=public_id).first()
        except ValidationError as error:
            raise CommandError(
                f"{public_id!r} is no id of an account: it is the Public id on the account's page"
                " in the admin; --list prints those of erased accounts"
            ) from error
        if person is None:
            self.stderr.write(f"{public_id} has no account here")
            return
        erasure.erase(person, by=None)
        self.stdout.write(f"{public_id} erased")
