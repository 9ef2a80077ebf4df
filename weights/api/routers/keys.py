"""The public keys that sign manifests."""

from django.http import HttpRequest
from ninja import Router

from weights.api import schemas
from weights.api.answers import READ, answers
from weights.api.authentication import OptionalToken
from weights.manifests.models import ManifestKey

router = Router(tags=["Keys"], auth=OptionalToken())


@router.api_operation(
    READ, "/keys", response=answers(list[schemas.KeyTold]), summary="List the public keys"
)
def key_list(request: HttpRequest) -> list[schemas.KeyTold]:
    """Keys that sign manifests or did, the newest first; trust no compromised one."""
    return [schemas.KeyTold.of(key) for key in ManifestKey.objects.all()]
