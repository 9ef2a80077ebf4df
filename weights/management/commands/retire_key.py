"""`manage.py retire_key`: let a manifest key sign no more, or trust a key with nothing."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.audit.merkle_log import keys as audit_keys
from accounts.errors import InvalidValue
from weights.errors import KeyRefused
from weights.manifests import keys

#: Ids of audit keys are half as long as those of manifest keys.
_AUDIT_KEY = re.compile(r"[0-9a-f]{8}|\S+\+[0-9a-f]{8}\+\S+")


class Command(BaseCommand):
    help = (
        "Retire a manifest key; with --compromised its signatures, or those of a key of the audit"
        " trail, count as no proof."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key_id", metavar="KEYID", help="as it stands on /keys/")
        parser.add_argument("--reason", required=True, help="everybody reads it")
        parser.add_argument(
            "--compromised", action="store_true", help="somebody else may have signed with it"
        )
        parser.add_argument(
            "--since",
            type=moment,
            metavar="TIME",
            help="from when on, in UTC, as 2026-11-03T09:30; left out: from its first use",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        key_id, reason, since = options["key_id"], options["reason"], options["since"]
        try:
            if _AUDIT_KEY.fullmatch(key_id):
                _demand_compromised(options["compromised"])
                mark = audit_keys.mark_compromised(key_id, reason, since)
                self.stdout.write(f"{key_id} compromised since {mark.since:%Y-%m-%d %H:%M} UTC")
                return
            key = keys.retire(key_id, reason, compromised=options["compromised"], since=since)
        except (InvalidValue, KeyRefused) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{key.key_id} {key.state}")


def _demand_compromised(is_said: bool) -> None:
    if not is_said:
        raise InvalidValue(
            "a key of the audit trail is retired by a new file in its place; add --compromised if"
            " others may have had it"
        )


def moment(text: str) -> datetime:
    """A day or a time; without an offset it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no time such as 2026-11-03T09:30") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
