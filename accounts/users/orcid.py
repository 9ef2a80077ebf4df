"""ORCID iDs in profile URLs, and those linked to accounts."""

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.apps import apps

if TYPE_CHECKING:
    from accounts.users.models import User

_ID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", re.ASCII)


def id_in_url(url: str) -> str | None:
    """Return the iD in a URL of orcid.org, even if invalid; None for other URLs."""
    parts = urlsplit(url)
    if parts.hostname not in {"orcid.org", "www.orcid.org"}:
        return None
    return parts.path.strip("/").upper()


def is_valid(orcid_id: str) -> bool:
    """True if the format and the check character (ISO 7064, MOD 11-2) are correct."""
    if not _ID.fullmatch(orcid_id):
        return False
    total = 0
    for digit in orcid_id.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    return orcid_id[-1] == ("X" if check == 10 else str(check))


def linked_id(person: "User") -> str:
    """Return the iD that the person has signed in with and linked; empty if none."""
    accounts = apps.get_model("socialaccount", "SocialAccount").objects
    account = accounts.filter(user=person, provider="orcid").first()
    return str(account.uid) if account else ""
