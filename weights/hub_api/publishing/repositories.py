"""Checkpoints as repositories: create, configure, move, delete."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from accounts.errors import InvalidValue
from accounts.users.models import User
from weights import gate
from weights.catalogue import checkpoint_tiers, names
from weights.catalogue.models import Checkpoint
from weights.delivery import serving
from weights.errors import NameTaken, WeightsCode
from weights.gate.caller import Caller
from weights.hub_api.errors import RequestRefused, waiting
from weights.hub_api.payloads import GATED
from weights.hub_api.publishing import gate_settings
from weights.hub_api.publishing.card_checks import check_card
from weights.hub_api.publishing.decorators import (
    not_offered,
    owned_checkpoint,
    owner_view,
    require_writer,
    writer_view,
)
from weights.hub_api.responses import json_response
from weights.publishing.drafts import checkpoints
from weights.web import strict_json
from weights.web.http_headers import header_text

_REASON = "Requested through the settings of the Hub's client"


@writer_view("POST")
def create(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """Creates a private draft; 409 with its `url` if the caller already owns the checkpoint.

    403 for somebody else's name, since clients go on to upload after a 409.
    """
    body = strict_json.read_object(request)
    repo_id = _repo_id(body)
    owner = require_writer(caller, repo_id)
    if body.get("files") or body.get("license"):
        raise InvalidValue("create the repository first, then commit its files and its README.md")
    try:
        checkpoint, created = checkpoints.create_draft(*repo_id.split("/"), by=owner)
    except NameTaken as error:
        return serving.problem(403, error.code, str(error))
    payload = {
        # Clients refuse a URL whose host is not that of their HF_ENDPOINT, such as localhost.
        "url": request.build_absolute_uri(f"/{checkpoint.repo_id}"),
        "name": checkpoint.repo_id,
        "id": checkpoint.repo_id,
    }
    if not created:
        return _exists(checkpoint, payload)
    response = json_response(payload)
    response["X-HF-Warning"] = "draft; " + header_text(
        f"{checkpoint} is a private draft in the tier {checkpoint.tier.slug}. Only its owners see"
        " it until one of them publishes it"
    )
    return response


def _exists(checkpoint: Checkpoint, payload: dict[str, str]) -> HttpResponseBase:
    message = f"{checkpoint} already exists"
    response = serving.problem(409, WeightsCode.NAME_TAKEN, message)
    response.content = json.dumps({"error": message, "code": WeightsCode.NAME_TAKEN, **payload})
    return response


@writer_view("DELETE")
def delete(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """Deletes a draft, or withdraws a published checkpoint, whose pages remain and say so."""
    repo_id = _repo_id(strict_json.read_object(request))
    owner, checkpoint = owned_checkpoint(caller, repo_id)
    checkpoints.delete(checkpoint, by=owner)
    return json_response({})


@writer_view("POST")
def move(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """Renames a draft."""
    body = strict_json.read_object(request)
    _require_model(body)
    owner, checkpoint = owned_checkpoint(caller, strict_json.text(body, "fromRepo"))
    target = strict_json.text(body, "toRepo")
    require_writer(caller, target)
    checkpoints.rename(checkpoint, target, by=owner)
    return json_response({})


@owner_view("PUT")
def update_settings(request: HttpRequest, owner: User, checkpoint: Checkpoint) -> HttpResponseBase:
    """Sets gate and visibility. If access would widen, a second person must confirm: 403."""
    gate_settings.apply(checkpoint, strict_json.read_object(request), owner)
    change = checkpoint_tiers.save_checkpoint(checkpoint, by=owner, reason=_REASON)
    if change is not None:
        return waiting(change)
    gated = GATED[checkpoint.tier.access_mode]
    return json_response({"gated": gated, "private": checkpoint.private})


@writer_view("GET", "HEAD")
def write_check(request: HttpRequest, caller: Caller, org: str, name: str) -> HttpResponseBase:
    """`{}` if the caller may publish: an owner with a token of scope `write`."""
    # The gate comes first, so that callers without read access get the usual refusal.
    decision = gate.may_read_checkpoint(caller, f"{org}/{name}", timezone.now())
    if not decision.allowed:
        raise RequestRefused(decision)
    owned_checkpoint(caller, f"{org}/{name}")
    return json_response({})


@writer_view("POST")
def validate_yaml(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """The findings about a README.md; 400 if any of them prevents its commit."""
    body = strict_json.read_object(request)
    found = check_card(strict_json.text(body, "content"), caller.user)
    payload = {
        "errors": [{"message": message} for message in found.errors],
        "warnings": [{"message": message} for message in found.warnings],
    }
    response = json_response(payload)
    if found.errors:
        response.status_code = 400
        response["X-Error-Message"] = header_text(" ".join(found.errors))
    return response


@owner_view("GET", "HEAD", "POST")
def lfs_files(
    request: HttpRequest, owner: User, checkpoint: Checkpoint, rest: str = ""
) -> HttpResponseBase:
    return not_offered(
        "This portal never removes a file from a revision. Discard the draft that contains it, or"
        " withdraw the revision."
    )


def _require_model(body: dict[str, Any]) -> None:
    if (strict_json.text(body, "type") or "model") != "model":
        raise InvalidValue("this portal has only models; leave the type out")


def _repo_id(body: dict[str, Any]) -> str:
    """`ORG/NAME` of a model. Raises InvalidValue, and InvalidName."""
    _require_model(body)
    org, name = strict_json.text(body, "organization"), strict_json.text(body, "name")
    if not org:
        raise InvalidValue(f"include the organisation: ORG/{name}")
    repo_id = f"{org}/{name}"
    names.split_repo_id(repo_id)
    return repo_id
