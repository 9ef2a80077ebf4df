"""The people who downloaded files of a checkpoint, according to the ledger."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Max, Min, QuerySet, Sum

from accounts.users.models import User
from weights.ledger.models import Download


def by_person(rows: QuerySet[Download]) -> Any:
    """Each person's id with first and last download, files and bytes; the latest first."""
    people = rows.exclude(user_id=None).values("user_id")
    return people.annotate(
        first=Min("at"),
        last=Max("at"),
        files=Count("path", distinct=True),
        revisions=Count("revision", distinct=True),
        size=Sum("length"),
    ).order_by("-last", "user_id")


def with_people(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add `person` to each line, None for a deleted account, with one query."""
    lines = list(lines)
    people = User.objects.in_bulk([line["user_id"] for line in lines])
    return [line | {"person": people.get(line["user_id"])} for line in lines]
