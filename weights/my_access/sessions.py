"""A person's downloads by session: one client, one checkpoint, one day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate
from django.http import Http404, QueryDict
from django.utils.dateparse import parse_date

from accounts.api_tokens.models import ApiToken
from accounts.users.models import User
from accounts.web.sanitize import is_storable
from weights.ledger.models import Download

#: Kind of credential -> how the files were downloaded, in words.
_CLIENTS = {
    "session": "in the browser",
    "token": "with an API token",
    "link": "with a checkpoint link",
    "file-link": "with a file link",
    "command": "by command of staff",
}
_REFUSED = Q(outcome=Download.Outcome.REFUSED)


@dataclass(frozen=True)
class DownloadSession:
    """The ledger rows of one client, checkpoint and day (UTC); `size` in bytes."""

    repo_id: str
    client: str
    files: int
    size: int
    refused: int
    first: datetime
    last: datetime
    #: The query of the page that lists the rows.
    query: str


def sessions_of(user: User) -> Any:
    """The sessions, newest first, in one query; `shown` completes those of a page."""
    rows = Download.objects.filter(user_id=user.pk).annotate(day=TruncDate("at", tzinfo=UTC))
    return (
        rows.values("day", "credential_kind", "credential_id", "repo_id")
        .annotate(
            files=Count("path", distinct=True, filter=~_REFUSED),
            size=Coalesce(Sum("length", filter=~_REFUSED), 0),
            refused=Count("pk", filter=_REFUSED),
            first=Min("at"),
            last=Max("at"),
        )
        .order_by("-last", "repo_id", "credential_id")
    )


def shown(rows: Sequence[dict[str, Any]]) -> list[DownloadSession]:
    """The sessions of a page, with the names of their tokens in one query."""
    ids = [row["credential_id"] for row in rows if row["credential_kind"] == "token"]
    tokens = ApiToken.objects.filter(public_id__in=[one for one in ids if one])
    names = {str(token.public_id): token.name for token in tokens}
    return [_shown(row, names) for row in rows]


def _shown(row: dict[str, Any], names: dict[str, str]) -> DownloadSession:
    client = _CLIENTS.get(row["credential_kind"], row["credential_kind"])
    if name := names.get(row["credential_id"]):
        client = f"{client}, {name}"
    keys = ("credential_kind", "credential_id", "repo_id")
    query = urlencode({"day": row["day"].isoformat(), **{key: row[key] for key in keys}})
    values = {key: row[key] for key in ("repo_id", "files", "size", "refused", "first", "last")}
    return DownloadSession(client=client, query=query, **values)


def rows_of(user: User, query: QueryDict) -> QuerySet[Download]:
    """Returns the person's rows of the session in a `DownloadSession.query`, newest first.

    Raises Http404 for a malformed query.
    """
    day = _day(query.get("day", ""))
    keys = ("credential_kind", "credential_id", "repo_id")
    if day is None or not all(is_storable(query.get(key, "")) for key in keys):
        raise Http404("no such session")
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = start.replace(hour=23, minute=59, second=59, microsecond=999_999)
    same = {key: query.get(key, "") for key in keys}
    return Download.objects.filter(user_id=user.pk, at__range=(start, end), **same).order_by("-at")


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None
