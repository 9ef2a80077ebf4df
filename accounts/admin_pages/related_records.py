"""A person's records on other admin pages, limited to those that each page shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import reverse

from accounts.users.models import User

#: The number of records that a list names; its link leads to all.
RECORDS_NAMED = 10


@dataclass(frozen=True)
class RelatedRecords:
    """The newest records of one kind, with their pages, and the URL of the whole list."""

    title: str
    records: list[tuple[Any, str]]
    has_more: bool
    url: str


def related_records(
    site: AdminSite, request: HttpRequest, person: User
) -> Iterator[RelatedRecords]:
    """Yield the list of each admin page with a `person_field` that the user may open.

    `person_field` is the field of its records with the person or their id. Runs a query per list.
    """
    for model, page in site._registry.items():
        field: str = getattr(page, "person_field", "")
        if not field or not page.has_view_permission(request):
            continue
        rows = page.get_queryset(request).filter(**{field: person.pk}).order_by("-pk")
        if isinstance(page.list_select_related, list):
            rows = rows.select_related(*page.list_select_related)
        found = list(rows[: RECORDS_NAMED + 1])
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        named = [(one, reverse(f"{name}_change", args=[one.pk])) for one in found[:RECORDS_NAMED]]
        lookup = field if field.endswith("_id") else f"{field}__id__exact"
        url = f"{reverse(f'{name}_changelist')}?{lookup}={person.pk}"
        title = str(model._meta.verbose_name_plural).capitalize()
        yield RelatedRecords(title, named, len(found) > RECORDS_NAMED, url)
