"""The audit trail: its signed heads for everybody, and one's own rows with their proofs."""

from typing import Any, Literal

from ninja import Query, Router

from accounts.audit.merkle_log import heads, logs, own_proofs, proofs
from accounts.audit.models import SignedHead
from weights.api import schemas
from weights.api.answers import READ, answers
from weights.api.authentication import ApiRequest, BearerToken, OptionalToken, person
from weights.api.problems import Refused
from weights.api.routers.checkpoints import FAR, following

router = Router(tags=["Audit trail"], auth=OptionalToken())

#: The last part of an address -> the log it is of.
_LOGS = {"events": "event", "downloads": "download"}
Which = Literal["events", "downloads"]
#: PostgreSQL's largest bigint; a larger number names no row.
_MOST = 2**63 - 1


@router.api_operation(
    READ, "/audit/heads", response=answers(schemas.HeadPage, 422), summary="List the signed heads"
)
def head_list(
    request: ApiRequest,
    limit: int = Query(50, ge=1, le=100),
    offset: int = Query(0, ge=0, le=FAR),
) -> schemas.HeadPage:
    """Newest first; one an hour at most, one a day at least. Keep one, and compare later."""
    found = SignedHead.objects.with_doubts().order_by("-size", "-pk")
    total = found.count()
    return schemas.HeadPage(
        heads=[schemas.HeadTold.of(head) for head in found[offset : offset + limit]],
        total=total,
        next=following("/audit/heads", {}, limit, offset, total),
    )


@router.api_operation(
    READ,
    "/audit/consistency",
    response=answers(schemas.ConsistencyTold, 404, 422),
    summary="Prove that a head goes on from an earlier one",
)
def head_consistency(
    request: ApiRequest,
    first: int = Query(..., ge=1, le=_MOST, description="Rows of the earlier head"),
    second: int = Query(..., ge=1, le=_MOST, description="Rows of the later head"),
) -> dict[str, Any]:
    """Both must have been signed. With equal sizes the path is empty and the roots are equal."""
    one, other = (heads.of_size(size) for size in sorted((first, second)))
    if one is None or other is None:
        raise Refused("head_not_found", "No head of one of these sizes was signed.")
    try:
        return own_proofs.between(one, other)
    except proofs.NotSealed as error:
        raise Refused("unavailable", f"The tree is damaged: {error}.") from error


@router.api_operation(
    READ,
    "/audit/{which}",
    response=answers(schemas.RowPage, 422),
    auth=BearerToken(),
    summary="List what is recorded about you",
)
def audit_rows(
    request: ApiRequest,
    which: Which,
    limit: int = Query(50, ge=1, le=100),
    offset: int = Query(0, ge=0, le=FAR),
) -> schemas.RowPage:
    """Newest first: events by you and about what is yours, or your downloads."""
    log = logs.named(_LOGS[which])
    rows = own_proofs.Rows(log, person(request))
    total = len(rows)
    return schemas.RowPage(
        rows=[_told(row, which) for row in rows[offset : offset + limit]],
        total=total,
        next=following(f"/audit/{which}", {}, limit, offset, total),
    )


@router.api_operation(
    READ,
    "/audit/{which}/{int:row_id}/proof",
    response=answers(schemas.ProofTold, 404, 409, 422),
    auth=BearerToken(),
    summary="Prove that a row of yours is in the trail",
)
def audit_proof(
    request: ApiRequest,
    which: Which,
    row_id: int,
    size: int | None = Query(None, ge=1, le=_MOST, description="Rows of the head to prove it by"),
) -> dict[str, Any]:
    """Under the newest signed head unless another is named; check_proof.py checks it offline.

    409 while no such head is signed over it, which is an hour at most.
    """
    log = logs.named(_LOGS[which])
    try:
        found = own_proofs.of(log, person(request), min(row_id, _MOST), size)
    except own_proofs.NotYet as error:
        raise Refused("no_proof_yet", "No such head is signed over this row.") from error
    except proofs.NotSealed as error:
        raise Refused("unavailable", f"The tree is damaged: {error}.") from error
    if found is None:
        raise Refused("row_not_found", f"You have no {log.name} {row_id}.")
    return found


def _told(row: own_proofs.OwnRow, which: str) -> schemas.RowTold:
    proof = schemas.address(f"/api/v1/audit/{which}/{row.id}/proof") if row.is_proved else None
    return schemas.RowTold(id=row.id, told=row.told, by_you=row.is_by_them, proof=proof)
