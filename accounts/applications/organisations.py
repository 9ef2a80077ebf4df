"""Organisations to choose from while one types."""

from typing import Any

from django.core.cache import cache
from django.db.models import Count
from django.db.models.fields.json import KeyTextTransform

from accounts.applications.models import Application
from accounts.applications.state_machine import Status

#: Fewer people than this could be told from a suggestion.
LEAST_PEOPLE = 3
_MOST, _SECONDS = 200, 600


def well_known() -> list[str]:
    """Names that at least three different people were approved under, by name.

    Nobody learns from it that a certain organisation applied: what is rare is left out.
    """
    names: Any = cache.get("organisations")
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return [*names]
    counted = _asked()
    cache.set("organisations", counted, _SECONDS)
    return counted


def _asked() -> list[str]:
    approved = Application.objects.filter(status=Status.APPROVED).order_by()
    named = approved.annotate(name=KeyTextTransform("org_name", "answers")).exclude(
        answers__org_name=None
    )
    counted = named.values("name").annotate(people=Count("applicant", distinct=True))
    shown = counted.filter(people__gte=LEAST_PEOPLE).order_by("name")
    return list(shown.values_list("name", flat=True)[:_MOST])
