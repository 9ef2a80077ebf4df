"""Suggestions for the name of an organisation, shown while the applicant types."""

from typing import Any

from django.core.cache import cache
from django.db.models import Count
from django.db.models.fields.json import KeyTextTransform

from accounts.applications.models import Application
from accounts.applications.transition_table import Status

#: Approved people that a suggested name needs; fewer would reveal who applied.
MIN_PEOPLE = 3
_MAX_NAMES, _CACHE_SECONDS = 200, 600


def suggestions() -> list[str]:
    """Return the names of organisations with at least three approved people, sorted.

    Rare names are left out, because they would reveal who applied.
    """
    names: Any = cache.get("organisations")
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return [*names]
    names = _query()
    cache.set("organisations", names, _CACHE_SECONDS)
    return [*names]


def _query() -> list[str]:
    approved = Application.objects.filter(status=Status.APPROVED).order_by()
    named = approved.annotate(name=KeyTextTransform("org_name", "answers")).exclude(
        answers__org_name=None
    )
    counted = named.values("name").annotate(people=Count("applicant", distinct=True))
    frequent = counted.filter(people__gte=MIN_PEOPLE).order_by("name")
    return list(frequent.values_list("name", flat=True)[:_MAX_NAMES])
