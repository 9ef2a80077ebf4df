"""`manage.py retire_key`: let a manifest key sign no more, or trust it with nothing."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from weights.errors import KeyRefused
from weights.manifests import keys


class Command(BaseCommand):
    help = "Retire a manifest key; with --compromised its signatures are offered no more."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key_id", metavar="KEYID", help="16 hex digits, as on /keys/")
        parser.add_argument("--reason", required=True, help="everybody reads it")
        parser.add_argument(
            "--compromised", action="store_true", help="somebody else may have signed with it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = keys.retire(
                options["key_id"], options["reason"], compromised=options["compromised"]
            )
        except KeyRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{key.key_id} {key.state}")
