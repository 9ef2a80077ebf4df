"""The page of public statistics."""

from datetime import UTC

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import transparency
from accounts.audit.merkle_log import heads
from accounts.review.reasons import Reason
from accounts.transparency import pictures
from accounts.transparency.calendar import calendars


@require_safe
def transparency_page(request: HttpRequest) -> HttpResponse:
    tables = transparency.published()
    labels = dict(Reason.choices)
    reasons = [{**row, "label": labels.get(row["code"], row["code"])} for row in tables["reasons"]]
    context = {
        **tables,
        "reasons": reasons,
        "outcomes": pictures.outcomes(tables["applications"]),
        "waits": pictures.waits(tables["applications"]),
        "target": f"Target: {settings.ANSWER_DAYS} working days",
        "reason_charts": pictures.reasons(tables["reasons"]),
        "calendars": calendars(tables.get("days", []), timezone.now().astimezone(UTC).date()),
        "head": heads.newest_trusted(),
        "single_operator": settings.SINGLE_OPERATOR,
    }
    return render(request, "accounts/transparency/transparency.html", context)
