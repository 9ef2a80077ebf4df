"""The page of public statistics."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts import transparency
from accounts.review.reasons import Reason


@require_safe
def transparency_page(request: HttpRequest) -> HttpResponse:
    tables = transparency.published()
    labels = dict(Reason.choices)
    reasons = [{**row, "label": labels.get(row["code"], row["code"])} for row in tables["reasons"]]
    context = {**tables, "reasons": reasons, "single_operator": settings.SINGLE_OPERATOR}
    return render(request, "accounts/transparency/transparency.html", context)
