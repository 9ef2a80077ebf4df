"""The page of public statistics."""

from datetime import UTC
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import transparency
from accounts.audit.merkle_log import signed_heads
from accounts.review.reasons import Reason
from accounts.transparency import pictures
from accounts.transparency.calendar import calendars
from accounts.transparency.count_tables import CAPTIONS, count_table

#: The tables of applications and grants, and their part of the page as this process last rendered
#: it: hundreds of rows and dozens of charts, which change only every ten minutes.
_rendered: tuple[dict[str, Any], str] = {}, ""
_TABLES = ("applications", "appeals", "reasons", "queue", "grants")


@require_safe
def transparency_page(request: HttpRequest) -> HttpResponse:
    tables = transparency.published()
    context = {
        **tables,
        "statistics": _statistics(tables),
        "calendars": calendars(tables.get("days", []), timezone.now().astimezone(UTC).date()),
        "head": signed_heads.newest_trusted(),
        "single_operator": settings.SINGLE_OPERATOR,
    }
    return render(request, "accounts/transparency/transparency.html", context)


def _statistics(tables: dict[str, Any]) -> str:
    """Return the sections about applications and grants as HTML."""
    global _rendered
    shown = {name: tables[name] for name in _TABLES}
    shown["target"] = f"Target: {settings.ANSWER_DAYS} working days"
    rendered, html = _rendered
    if rendered != shown:
        labels = dict(Reason.choices)
        reasons = [
            {**row, "label": labels.get(row["code"], row["code"])} for row in shown["reasons"]
        ]
        html = render_to_string(
            "accounts/transparency/_applications.html",
            shown
            | {
                "reasons": reasons,
                "counts": {name: count_table(name, shown[name]) for name in CAPTIONS},
                "outcomes": pictures.outcomes(shown["applications"]),
                "waits": pictures.waits(shown["applications"]),
                "reason_charts": pictures.reasons(shown["reasons"]),
            },
        )
        _rendered = shown, html
    return html
