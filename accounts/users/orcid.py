"""ORCID iDs: in profile URLs, and linked to accounts."""

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.apps import apps

if TYPE_CHECKING:
    from accounts.users.models import User

_ID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", re.ASCII)


def id_in_url(url: str) -> str | None:
    """Return the iD in a URL of orcid.org, valid or not; None for other URLs."""
    parts = urlsplit(url)
    if parts.hostname not in {"orcid.org", "www.orcid.org"}:
        return None
    return parts.path.strip("/").upper()


def is_valid(orcid_id: str) -> bool:
    """True if format and check character (ISO 7064, MOD 11-2) are right."""
    if not _ID.fullmatch(orcid_id):
        return False
    total = 0
    for digit in orcid_id.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    return orcid_id[-1] == ("X" if check == 10 else str(check))


def linked_id(person: "User") -> str:
    """Return the iD that the person proved by signing in with it; empty if none is linked."""
    accounts = apps.get_model("socialaccount", "SocialAccount").objects
    account = accounts.filter(user=person, provider="orcid").first()
    return str(account.uid) if account else ""
