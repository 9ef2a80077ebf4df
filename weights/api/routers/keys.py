"""The public keys that sign manifests."""

from django.http import HttpRequest
from ninja import Router

from weights.api.authentication import OptionalToken
from weights.api.operations import READ_METHODS, responses
from weights.api.schemas.checkpoints import KeyOut
from weights.manifests.models import ManifestKey

router = Router(tags=["Keys"], auth=OptionalToken())


@router.api_operation(
    READ_METHODS, "/keys", response=responses(list[KeyOut]), summary="List the public keys"
)
def key_list(request: HttpRequest) -> list[KeyOut]:
    """Current and former signing keys, newest first; do not trust compromised ones."""
    return [KeyOut.of(key) for key in ManifestKey.objects.all()]
