"""The endpoints of the Xet protocol: token, xorbs and shards.

Deduplication across people (`/v1/chunks`) and streamed responses (`/v2/shards`) are not offered:
both are 404 like any unknown address, and clients continue without them.
"""

import tempfile
import time
from contextlib import suppress
from functools import wraps
from typing import BinaryIO, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts.errors import InvalidValue
from weights.delivery import bodies, serving
from weights.errors import BlobMissing, GateRefused, UploadPending, WeightsCode
from weights.gate.caller import Caller
from weights.gate.refusals import Missing, sentence
from weights.hub_api.decorators import View
from weights.hub_api.publishing.decorators import owned_checkpoint, writer_view
from weights.hub_api.responses import json_response
from weights.uploads.request_body import slot
from weights.uploads.services import wait_for
from weights.uploads.xet import shards, tokens, xorbs
from weights.uploads.xet.errors import MalformedXet
from weights.uploads.xet.shard_format import MOST_SHARD_BYTES
from weights.uploads.xet.xorbs import Sender
from weights.web import strict_json

#: Seconds that the response to a shard waits for a worker to rebuild its files.
_WAIT = 60
_BLOCK = 1024 * 1024
#: Bytes of a shard that are held in memory while it is received.
_IN_MEMORY = 1024 * 1024


@writer_view("GET")
def write_token(
    request: HttpRequest, caller: Caller, org: str, name: str, revision: str
) -> HttpResponseBase:
    """A token for uploads to this checkpoint, as JSON and, for older clients, as headers."""
    _owner, checkpoint = owned_checkpoint(caller, f"{org}/{name}")
    if caller.token is None:
        raise InvalidValue("send an API token")
    token, ends = tokens.issue(caller.token.digest, checkpoint)
    endpoint = tokens.endpoint_name(caller.token.digest, checkpoint, time.time())
    url = f"{settings.PUBLIC_URL}/api/xet/{endpoint}"
    response = json_response({"accessToken": token, "exp": ends, "casUrl": url})
    response["X-Xet-Access-Token"] = token
    response["X-Xet-Token-Expiration"] = str(ends)
    response["X-Xet-Cas-Url"] = url
    return response


def _sender_view(view: View) -> View:
    """A POST with a token of `write_token`; passes the Sender, who must still be an owner."""

    @writer_view("POST", authenticate=tokens.caller_of)
    @wraps(view)
    def wrapper(
        request: HttpRequest, caller: Caller, endpoint: str, **params: str
    ) -> HttpResponseBase:
        checkpoint = tokens.checkpoint_of(request)
        if checkpoint is None:
            raise GateRefused(Missing.REPOSITORY, sentence(Missing.REPOSITORY, repo="unknown"))
        sender = Sender(*owned_checkpoint(caller, checkpoint.repo_id))
        return view(request, sender, **params)

    return wrapper


@_sender_view
def xorb_grant(request: HttpRequest, sender: Sender, digest: str) -> HttpResponseBase:
    """Answer 201 with a bucket URL, 200 if the xorb exists, or 404 for a local store."""
    length = strict_json.read_object(request).get("length")
    if type(length) is not int:
        raise InvalidValue("length must be a number of bytes")
    if xorbs.has(sender, digest):
        return json_response({})
    grant = xorbs.grant(sender, digest, length)
    if grant is None:
        return serving.problem(404, WeightsCode.UPLOAD_MISSING, "Send xorbs to the portal.")
    payload = {"id": grant.name, "method": "PUT", "url": grant.url, "headers": {}}
    response = json_response(payload)
    response.status_code = 201
    return response


@_sender_view
def xorb_commit(request: HttpRequest, sender: Sender, digest: str, grant: str) -> HttpResponseBase:
    try:
        xorbs.commit(sender, digest, grant)
    except BlobMissing as error:
        return serving.problem(404, error.code, str(error))
    return json_response({"was_inserted": True})


@_sender_view
def xorb_upload(request: HttpRequest, sender: Sender, digest: str) -> HttpResponseBase:
    with slot(_length(request)):
        inserted = xorbs.receive(sender, digest, _length(request), request)
    return json_response({"was_inserted": inserted})


@_sender_view
def shard_upload(request: HttpRequest, sender: Sender) -> HttpResponseBase:
    """Wait until the files are rebuilt; the commit waits for any that take longer."""
    if _length(request) > MOST_SHARD_BYTES:
        raise MalformedXet("the shard is larger than 64 MiB")
    with slot(_length(request)):
        sha256s = _accept(sender, request)
        with suppress(UploadPending):
            wait_for(sender.checkpoint, sender.person, sha256s, _WAIT)
    return json_response({"result": 1})


def _accept(sender: Sender, request: HttpRequest) -> list[str]:
    """Receive the whole shard before parsing it and before any transaction begins."""
    bodies.release_connections()
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
        while block := request.read(_BLOCK):
            spool.write(block)
        spool.seek(0)
        return shards.accept(sender, cast(BinaryIO, spool))


@csrf_exempt
@require_POST
def telemetry(request: HttpRequest) -> HttpResponse:
    """Discard the clients' telemetry, which they send to the root of the host."""
    return HttpResponse(status=204)


def _length(request: HttpRequest) -> int:
    return int(request.META.get("CONTENT_LENGTH") or 0)
