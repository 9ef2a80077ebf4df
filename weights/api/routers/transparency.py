"""Public statistics of the gate, with small numbers suppressed."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from ninja import Router, Schema

from accounts import transparency
from accounts.audit.merkle_log import signed_heads
from accounts.errors import AccountsCode
from weights.api.authentication import ApiRequest, OptionalToken
from weights.api.operations import READ_METHODS, responses
from weights.api.problems import ApiError, problem_response
from weights.api.schemas.audit import HeadOut

router = Router(tags=["Transparency"], auth=OptionalToken())


class TransparencyOut(Schema):
    """Counts are numbers; `<5` is 1 to 4; null is suppressed, as it would reveal such a count.

    Each table is available as CSV too, under its name and `.csv`. Times to the first answer
    are working days. `shown` is the sum of the shown counts, a lower bound of the total. A month
    is published a day after its end and does not change; the present counts of `queue` and
    `grants` are rounded down to multiples of five. `integrity` (one row), `checks` and `days` are
    about bytes, not people: exact numbers for all public checkpoints.
    """

    made_at: datetime
    audit_head: HeadOut | None
    applications: list[dict[str, Any]]
    appeals: list[dict[str, Any]]
    reasons: list[dict[str, Any]]
    queue: list[dict[str, Any]]
    grants: list[dict[str, Any]]
    integrity: list[dict[str, Any]]
    checks: list[dict[str, Any]]
    days: list[dict[str, Any]]


@router.api_operation(
    READ_METHODS,
    "/transparency/",
    response=responses(TransparencyOut),
    summary="Read the public statistics",
)
def transparency_numbers(request: ApiRequest) -> dict[str, Any]:
    """Decided applications by month, tier and outcome; reasons, the open queue and grants; the
    integrity of the stored bytes, and their checks by month and by day.

    Recomputed at most every ten minutes. `audit_head` is the newest signed head of the trail.
    """
    return {**transparency.published(), "audit_head": signed_heads.newest_trusted()}


@require_safe
def table_csv(request: HttpRequest, table: str) -> HttpResponse:
    """One table as a CSV file."""
    if table not in transparency.TABLES:
        return problem_response(
            request, ApiError(AccountsCode.NOT_FOUND, "There is no such table.")
        )
    rows = transparency.published()[table]
    response = HttpResponse(
        transparency.as_csv(table, rows), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{table}.csv"'
    return response
