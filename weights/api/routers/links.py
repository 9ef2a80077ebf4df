"""Checkpoint links and file links."""

from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from ninja import Router
from ninja.responses import Status

from weights import gate
from weights.api import schemas
from weights.api.answers import BODY, READ, answers
from weights.api.authentication import ApiRequest, BearerToken, person
from weights.api.finding import checkpoint_known
from weights.api.problems import ROOT, Refused
from weights.delivery import file_links, links, signed_claims
from weights.delivery.models import CheckpointLink

router = Router(tags=["Links"], auth=BearerToken())


@router.api_operation(
    READ,
    "/links",
    response=answers(list[schemas.LinkTold]),
    summary="List my checkpoint links",
)
def link_list(request: ApiRequest) -> list[schemas.LinkTold]:
    """Newest first, ended ones too, at most 1000."""
    now = timezone.now()
    return [schemas.LinkTold.of(link, now) for link in _mine(request)[:1000]]


@router.post(
    "/links",
    response=answers(schemas.LinkTold, 404, *BODY, status=202),
    summary="Ask for a checkpoint link",
)
def link_request(
    request: ApiRequest, response: HttpResponse, asked: schemas.LinkAsked
) -> Status[schemas.LinkTold]:
    """One address for a whole checkpoint, made in the background and sent to you by mail.

    Follow its `state` at the address in `Location`. At most three a day for one checkpoint;
    for a gated one the token needs the scope read-gated.
    """
    checkpoint = checkpoint_known(request.auth, asked.repo)
    decision = gate.may_read(request.auth, asked.repo, timezone.now())
    if not decision.allowed:  # the token's own bounds, which its owner's request has not
        raise Refused.by(decision)
    link = links.request_link(person(request), checkpoint)
    response["Location"] = schemas.address(f"{ROOT}/links/{link.public_id}")
    return Status(202, schemas.LinkTold.of(link, timezone.now()))


@router.api_operation(
    READ,
    "/links/{uuid:public_id}",
    response=answers(schemas.LinkTold, 404),
    summary="Follow a checkpoint link",
)
def link_detail(request: ApiRequest, public_id: UUID) -> schemas.LinkTold:
    """Whether it is queued, issued or failed, and until when it opens."""
    return schemas.LinkTold.of(_own(request, public_id), timezone.now())


@router.post(
    "/links/{uuid:public_id}/revoke",
    response=answers(schemas.LinkTold, 404),
    summary="Revoke a checkpoint link",
)
def link_revoke(request: ApiRequest, public_id: UUID) -> schemas.LinkTold:
    """Nothing opens with it from the next request on; again changes nothing."""
    links.revoke_link(_own(request, public_id), by=person(request))
    return schemas.LinkTold.of(_own(request, public_id), timezone.now())


@router.post(
    "/file-links",
    response=answers(schemas.FileLinkTold, 404, *BODY, status=201),
    summary="Sign an address for one file",
)
def file_link(request: ApiRequest, asked: schemas.FileLinkAsked) -> Status[schemas.FileLinkTold]:
    """An address that opens one file without a token until it expires, while your right lasts."""
    url = file_links.issue(request.auth, asked.repo, asked.revision, asked.path, asked.seconds)
    ends = signed_claims.parse_file_query(urlsplit(url).query).expires
    return Status(201, schemas.FileLinkTold(url=url, expires=datetime.fromtimestamp(ends, UTC)))


def _mine(request: ApiRequest) -> QuerySet[CheckpointLink]:
    mine = CheckpointLink.objects.filter(holder=person(request))
    return mine.select_related("checkpoint", "revision").order_by("-created_at").defer("plan")


def _own(request: ApiRequest, public_id: UUID) -> CheckpointLink:
    link = _mine(request).filter(public_id=public_id).first()
    if link is None:
        raise Refused("link_not_found", f"You have no link {public_id}.")
    return link
