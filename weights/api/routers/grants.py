"""Giving a grant back."""

from uuid import UUID

from ninja import Router

from accounts.grants import lifecycle
from accounts.grants.models import Grant
from weights.api import schemas
from weights.api.answers import answers
from weights.api.authentication import ApiRequest, GatedToken, person
from weights.api.problems import Refused

router = Router(tags=["Applications and grants"], auth=GatedToken())


@router.post(
    "/grants/{uuid:public_id}/surrender",
    response=answers(schemas.ReceiptTold, 404, 409),
    summary="Give a grant back",
)
def grant_surrender(request: ApiRequest, public_id: UUID) -> schemas.ReceiptTold:
    """Nothing of the tier opens from then on, and it cannot be undone.

    The receipt lists addresses of the store that were given before, each with its last second.
    409 when the grant is not active.
    """
    me = person(request)
    mine = Grant.objects.filter(user=me).select_related("tier", "user")
    grant = mine.filter(public_id=public_id).first()
    if grant is None:
        raise Refused("grant_not_found", f"You have no grant {public_id}.")
    return schemas.ReceiptTold.of(lifecycle.surrender(grant, by=me))
