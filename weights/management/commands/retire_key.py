"""`manage.py retire_key`: retire a manifest key, or mark a key as compromised."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from accounts.audit.merkle_log import keys as audit_keys
from accounts.errors import InvalidValue
from accounts.management.base import PortalCommand
from weights.manifests import keys

#: An audit key's id, or its verifier key; manifest keys have ids of 16 digits.
_AUDIT_KEY = re.compile(r"[0-9a-f]{8}|\S+\+[0-9a-f]{8}\+\S+")


class Command(PortalCommand):
    help = (
        "Retire a manifest key. --compromised makes its signatures, or those of a key of the audit"
        " trail, untrusted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key_id", metavar="KEYID", help="as shown on /keys/")
        parser.add_argument("--reason", required=True, help="public")
        parser.add_argument(
            "--compromised", action="store_true", help="others may have signed with it"
        )
        parser.add_argument(
            "--since",
            type=moment,
            metavar="TIME",
            help="start in UTC, such as 2026-11-03T09:30; by default its first use",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        key_id, reason, since = options["key_id"], options["reason"], options["since"]
        if _AUDIT_KEY.fullmatch(key_id):
            _demand_compromised(options["compromised"])
            mark = audit_keys.mark_compromised(key_id, reason, since)
            self.stdout.write(f"{key_id} compromised since {mark.since:%Y-%m-%d %H:%M} UTC")
            return
        key = keys.retire(key_id, reason, compromised=options["compromised"], since=since)
        self.stdout.write(f"{key.key_id} {key.state}")


def _demand_compromised(compromised: bool) -> None:
    if not compromised:
        raise InvalidValue(
            "to retire a key of the audit trail, replace its file; add --compromised if"
            " others may have signed with it"
        )


def moment(text: str) -> datetime:
    """Parses a date or a time, in UTC unless it has an offset."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a time such as 2026-11-03T09:30") from error
    return value if value.tzinfo else value.replace(tzinfo=UTC)
