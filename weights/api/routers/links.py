"""Checkpoint links and file links."""

from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Router
from ninja.responses import Status

from weights import gate
from weights.api.authentication import ApiRequest, BearerToken, current_user
from weights.api.lookups import get_visible_checkpoint
from weights.api.operations import BODY_ERRORS, READ_METHODS, responses
from weights.api.problems import ApiError
from weights.api.schemas.common import absolute_url
from weights.api.schemas.downloads import FileLinkIn, FileLinkOut, LinkIn, LinkOut
from weights.catalogue.models import Checkpoint
from weights.delivery import file_links, links, signed_claims
from weights.delivery.models import CheckpointLink
from weights.errors import WeightsCode

router = Router(tags=["Links"], auth=BearerToken())


@router.api_operation(
    READ_METHODS, "/links", response=responses(list[LinkOut]), summary="List my checkpoint links"
)
def link_list(request: ApiRequest) -> QuerySet[CheckpointLink]:
    """Newest first, expired and revoked links included, at most 1000."""
    return _own_links(request)[:1000]


@router.post(
    "/links",
    response=responses(LinkOut, 404, *BODY_ERRORS, status=202),
    summary="Request a checkpoint link",
)
def link_request(
    request: ApiRequest, response: HttpResponse, body: LinkIn
) -> Status[CheckpointLink]:
    """One URL for a whole checkpoint, issued in the background and sent to you by mail.

    Poll its `state` at the URL in `Location`. At most three links a day per checkpoint; for a
    gated one the token needs the scope read-gated. The link ends with the token.
    """
    checkpoint = get_visible_checkpoint(request.auth, body.repo)
    decision = gate.may_fetch_checkpoint(request.auth, body.repo, timezone.now())
    if not decision.allowed:  # the token may be limited where its owner is not
        raise ApiError.from_decision(decision)
    link = links.request_link(current_user(request), checkpoint, token=request.auth.token)
    response["Location"] = absolute_url(reverse("api:link_detail", args=[link.public_id]))
    return Status(202, _own_link(request, link.public_id))


@router.api_operation(
    READ_METHODS,
    "/links/{uuid:public_id}",
    response=responses(LinkOut, 404),
    summary="Follow a checkpoint link",
)
def link_detail(request: ApiRequest, public_id: UUID) -> CheckpointLink:
    """Its `state` (queued, issued or failed) and its expiry."""
    return _own_link(request, public_id)


@router.post(
    "/links/{uuid:public_id}/revoke",
    response=responses(LinkOut, 404),
    summary="Revoke a checkpoint link",
)
def link_revoke(request: ApiRequest, public_id: UUID) -> CheckpointLink:
    """The link stops working at the next request. Revoking it again changes nothing."""
    links.revoke_link(_own_link(request, public_id), by=current_user(request))
    return _own_link(request, public_id)


@router.post(
    "/file-links",
    response=responses(FileLinkOut, 404, *BODY_ERRORS, status=201),
    summary="Sign a URL for one file",
)
def file_link(request: ApiRequest, body: FileLinkIn) -> Status[FileLinkOut]:
    """A URL that serves one file until it expires, or until your access or the token ends."""
    url = file_links.issue(request.auth, body.repo, body.revision, body.path, body.seconds)
    expires = signed_claims.parse_file_query(urlsplit(url).query).expires
    return Status(201, FileLinkOut(url=url, expires=datetime.fromtimestamp(expires, UTC)))


def _own_links(request: ApiRequest) -> QuerySet[CheckpointLink]:
    """The owner's links, except those to hidden checkpoints that the token does not cover."""
    covered = Checkpoint.objects.within_limits_of(request.auth.token)
    links = CheckpointLink.objects.with_credential().filter(
        holder=current_user(request), checkpoint__in=covered
    )
    return links.select_related("checkpoint", "revision").order_by("-created_at").defer("plan")


def _own_link(request: ApiRequest, public_id: UUID) -> CheckpointLink:
    link = _own_links(request).filter(public_id=public_id).first()
    if link is None:
        raise ApiError(WeightsCode.LINK_NOT_FOUND, f"You have no link {public_id}.")
    return link
