"""The git LFS endpoints below `/ORG/NAME.git/info/lfs/objects/`."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from accounts.errors import InvalidValue
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.delivery import bodies
from weights.errors import UploadPending
from weights.gate.caller import Caller
from weights.hub_api.publishing.decorators import (
    owned_checkpoint,
    owner_view,
    writer_view,
)
from weights.uploads import access, lfs_batch, multipart, services, signing
from weights.uploads.models import Upload
from weights.uploads.request_body import blocks_of, slot
from weights.web import strict_json

CONTENT_TYPE = "application/vnd.git-lfs+json"
#: Maximum JSON values of a completion: number and entity tag of a thousand parts.
_MOST_VALUES = 4000


@writer_view("POST")
def batch(request: HttpRequest, caller: Caller, org: str, name: str) -> HttpResponseBase:
    """Answer where to send missing objects; present ones get no `actions`."""
    person, checkpoint = owned_checkpoint(caller, f"{org}/{name}")
    values = 4 * lfs_batch.MOST_OBJECTS
    announced = lfs_batch.parse(strict_json.read_object(request, max_values=values))
    return _lfs_response(lfs_batch.answer(checkpoint, person, caller, announced))


@owner_view("POST")
def verify(request: HttpRequest, owner: User, checkpoint: Checkpoint) -> HttpResponseBase:
    """Answer 200 for a present object and 202 while its hash is being computed."""
    body = strict_json.read_object(request)
    sha256, size = strict_json.text(body, "oid"), body.get("size")
    try:
        found = services.wait_for(checkpoint, owner, [sha256], seconds=0)
    except UploadPending as pending:
        response = _lfs_response({"message": str(pending)})
        response.status_code = 202
        return response
    if found[sha256] != size:
        raise InvalidValue(f"{sha256} has {found[sha256]} bytes, not {size}")
    return _lfs_response({})


@writer_view("PUT")
def send_object(
    request: HttpRequest, caller: Caller, org: str, name: str, sha256: str
) -> HttpResponseBase:
    """Receive a whole object at a signed URL."""
    upload = _upload(request, f"{org}/{name}", sha256, signing.WHOLE)
    with slot(upload.size):
        services.receive(upload, _body(request, upload.size))
    return HttpResponse(headers={"ETag": f'"{sha256}"'})


@writer_view("PUT")
def send_part(
    request: HttpRequest, caller: Caller, org: str, name: str, sha256: str, number: str
) -> HttpResponseBase:
    """Receive a part of an object for a local store at a signed URL."""
    upload = _upload(request, f"{org}/{name}", sha256, int(number))
    length = multipart.part_length(upload, int(number))
    with slot(length):
        etag = multipart.receive_part(upload, int(number), _body(request, length))
    return HttpResponse(headers={"ETag": f'"{etag}"'})


@writer_view("POST")
def complete(
    request: HttpRequest, caller: Caller, org: str, name: str, sha256: str
) -> HttpResponseBase:
    """Complete a multipart upload at a signed URL."""
    upload = _upload(request, f"{org}/{name}", sha256, signing.COMPLETION)
    body = strict_json.read_object(request, max_values=_MOST_VALUES)
    if strict_json.text(body, "oid") not in {"", sha256}:
        raise InvalidValue(f"this URL belongs to the object {sha256}")
    multipart.complete_parts(upload, _etags(body.get("parts")))
    return _lfs_response({})


def _etags(parts: Any) -> Sequence[tuple[int, str]]:
    if not isinstance(parts, list):
        raise InvalidValue("parts must be a list")
    etags = []
    for part in parts:
        number = part.get("partNumber") if isinstance(part, dict) else None
        if type(number) is not int or not isinstance(part.get("etag"), str):
            raise InvalidValue("each of the parts must have a partNumber and an etag")
        etags.append((number, part["etag"].strip('"')))
    return etags


def _upload(request: HttpRequest, repo_id: str, sha256: str, act: int) -> Upload:
    claim = signing.read(request.GET.get("claim", ""), sha256, act)
    return access.upload_of(claim, repo_id)


def _body(request: HttpRequest, length: int) -> Iterator[bytes]:
    bodies.release_connections()  # the body may take an hour
    return blocks_of(request, length)


def _lfs_response(payload: dict[str, Any]) -> JsonResponse:
    response = JsonResponse(payload, content_type=CONTENT_TYPE)
    response["Cache-Control"] = "private, no-store"
    return response
