"""Django's test client without a copy of the context of every template."""

from typing import Any

from django.test import client
from django.test.utils import ContextList


def keep_without_copies() -> None:
    """Keep contexts as they are: copying one for each included template took a tenth of a page.

    `response.context["name"]` finds what the view gave to its template, as before.
    """
    client.store_rendered_templates = _store  # type: ignore[attr-defined]


def _store(store: dict[str, Any], *, template: Any, context: Any, **_: Any) -> None:
    store.setdefault("templates", []).append(template)
    store.setdefault("context", ContextList()).append(context)
