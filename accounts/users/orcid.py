"""ORCID iDs: in a profile's address, and linked to an account."""

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.apps import apps

if TYPE_CHECKING:
    from accounts.users.models import User

_ID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", re.ASCII)


def in_address(address: str) -> str | None:
    """What an address of orcid.org names as an iD, right or wrong; None for other addresses."""
    parts = urlsplit(address)
    if parts.hostname not in {"orcid.org", "www.orcid.org"}:
        return None
    return parts.path.strip("/").upper()


def is_valid(name: str) -> bool:
    """Whether the iD has its form and its check character (ISO 7064, MOD 11-2)."""
    if not _ID.fullmatch(name):
        return False
    total = 0
    for digit in name.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    return name[-1] == ("X" if check == 10 else str(check))


def linked_to(person: "User") -> str:
    """The iD that the person has proved by signing in with it; empty where none is linked."""
    accounts = apps.get_model("socialaccount", "SocialAccount").objects
    account = accounts.filter(user=person, provider="orcid").first()
    return str(account.uid) if account else ""
