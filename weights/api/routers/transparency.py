"""The gate's public numbers, small ones hidden."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from ninja import Router, Schema

from accounts import transparency
from accounts.audit.merkle_log import heads
from weights.api.answers import READ, answers
from weights.api.authentication import ApiRequest, OptionalToken
from weights.api.problems import Refused, problem
from weights.api.schemas import HeadTold

router = Router(tags=["Transparency"], auth=OptionalToken())


class Numbers(Schema):
    """Counts are numbers; `<5` is one of 1 to 4; null is withheld, since it would give one away.

    Each table is also there as CSV, under its name and `.csv`. Times to the first answer
    are working days. `shown` is the sum of what is shown, and so at least the total.
    `integrity` (one row) and `checks` are about bytes and not about people: exact numbers, of the
    checkpoints that everybody may know of.
    """

    made_at: datetime
    audit_head: HeadTold | None
    applications: list[dict[str, Any]]
    reasons: list[dict[str, Any]]
    queue: list[dict[str, Any]]
    grants: list[dict[str, Any]]
    integrity: list[dict[str, Any]]
    checks: list[dict[str, Any]]


@router.api_operation(
    READ,
    "/transparency/",
    response=answers(Numbers),
    summary="Read the gate's public numbers",
)
def transparency_numbers(request: ApiRequest) -> dict[str, Any]:
    """Ended applications by month, tier and outcome, reasons, the open queue, and grants; how
    the stored bytes stand, and the checks of them by month.

    Made anew at most every ten minutes. `audit_head` is the newest signed head of the trail.
    """
    head = heads.newest()
    return {**transparency.published(), "audit_head": HeadTold.of(head) if head else None}


@require_safe
def table_csv(request: HttpRequest, table: str) -> HttpResponse:
    """One table of the numbers as a file."""
    if table not in transparency.TABLES:
        return problem(request, Refused("not_found", "There is no such table."))
    rows = transparency.published()[table]
    response = HttpResponse(
        transparency.as_csv(table, rows), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{table}.csv"'
    return response
