"""The audit trail: signed heads for everyone, and the caller's own rows with their proofs."""

from typing import Any, Literal

from django.urls import reverse
from ninja import Query, Router

from accounts.audit.merkle_log import proof_documents, proofs, sealed_tables, signed_heads
from accounts.audit.models import SignedHead
from accounts.errors import AccountsCode
from weights.api.authentication import ApiRequest, GatedToken, OptionalToken, current_user
from weights.api.operations import READ_METHODS, responses
from weights.api.pagination import Limit, Offset, page_facts
from weights.api.problems import ApiError
from weights.api.schemas.audit import (
    ConsistencyProofOut,
    HeadPage,
    InclusionProofOut,
    RowOut,
    RowPage,
)
from weights.api.schemas.common import absolute_url
from weights.errors import WeightsCode

router = Router(tags=["Audit trail"], auth=OptionalToken())

#: URL segment -> name of the log.
_LOGS = {"events": "event", "downloads": "download"}
LogName = Literal["events", "downloads"]
#: PostgreSQL's largest bigint, which is larger than any row's id.
_BIGINT_MAX = 2**63 - 1


@router.api_operation(
    READ_METHODS, "/audit/heads", response=responses(HeadPage, 422), summary="List the signed heads"
)
def head_list(
    request: ApiRequest,
    limit: Limit = 50,
    offset: Offset = 0,
) -> dict[str, Any]:
    """Newest first; signed hourly to daily. Store one to verify later heads against."""
    signed = SignedHead.objects.with_compromised().order_by("-size", "-pk")
    facts = page_facts(request, signed.count(), limit=limit, offset=offset)
    return {"heads": signed[offset : offset + limit], **facts}


@router.api_operation(
    READ_METHODS,
    "/audit/consistency",
    response=responses(ConsistencyProofOut, 404, 422),
    summary="Prove that a head extends an earlier one",
)
def head_consistency(
    request: ApiRequest,
    first: int = Query(..., ge=1, le=_BIGINT_MAX, description="Size of the earlier head"),
    second: int = Query(..., ge=1, le=_BIGINT_MAX, description="Size of the later head"),
) -> dict[str, Any]:
    """Both heads must be signed. For equal sizes the path is empty and the roots are equal."""
    earlier, later = (signed_heads.of_size(size) for size in sorted((first, second)))
    if earlier is None or later is None:
        raise ApiError(WeightsCode.HEAD_NOT_FOUND, "One of these sizes has no signed head.")
    try:
        return proof_documents.consistency(earlier, later)
    except proofs.MissingNode as error:
        raise ApiError(AccountsCode.UNAVAILABLE, f"The tree is damaged: {error}.") from error


@router.api_operation(
    READ_METHODS,
    "/audit/{which}",
    response=responses(RowPage, 422),
    auth=GatedToken(),
    summary="List your rows in the audit trail",
)
def audit_rows(
    request: ApiRequest,
    which: LogName,
    limit: Limit = 50,
    offset: Offset = 0,
) -> RowPage:
    """Newest first: events by you or about your data, or your downloads."""
    log = sealed_tables.get_log(_LOGS[which])
    rows = proof_documents.OwnRows(log, current_user(request))
    facts = page_facts(request, len(rows), limit=limit, offset=offset)
    return RowPage(rows=[_row(row, which) for row in rows[offset : offset + limit]], **facts)


@router.api_operation(
    READ_METHODS,
    "/audit/{which}/{int:row_id}/proof",
    response=responses(InclusionProofOut, 404, 409, 422),
    auth=GatedToken(),
    summary="Prove that a row of yours is in the trail",
)
def audit_proof(
    request: ApiRequest,
    which: LogName,
    row_id: int,
    size: int | None = Query(
        None, ge=1, le=_BIGINT_MAX, description="Size of the head that the proof refers to"
    ),
) -> dict[str, Any]:
    """For the newest signed head or the head of `size`; check_proof.py verifies it offline.

    409 until a head that covers the row is signed, which takes at most an hour.
    """
    log = sealed_tables.get_log(_LOGS[which])
    try:
        proof = proof_documents.inclusion(
            log, current_user(request), min(row_id, _BIGINT_MAX), size
        )
    except proof_documents.NotCovered as error:
        raise ApiError(WeightsCode.NO_PROOF_YET, "No signed head covers this row yet.") from error
    except proofs.MissingNode as error:
        raise ApiError(AccountsCode.UNAVAILABLE, f"The tree is damaged: {error}.") from error
    if proof is None:
        raise ApiError(WeightsCode.ROW_NOT_FOUND, f"You have no {log.name} {row_id}.")
    return proof


def _row(row: proof_documents.OwnRow, which: LogName) -> RowOut:
    url = absolute_url(reverse("api:audit_proof", args=[which, row.id])) if row.has_proof else None
    return RowOut(id=row.id, told=row.disclosed, by_you=row.is_by_person, proof=url)
