"""Drafts: an owner lists, publishes and discards their commits."""

from datetime import UTC

from django.db import transaction
from django.urls import reverse
from ninja import Router

from accounts.web.sanitize import is_storable
from weights.api.authentication import ApiRequest, BearerToken, current_user
from weights.api.operations import BODY_ERRORS, READ_METHODS, responses
from weights.api.problems import ApiError
from weights.api.schemas.common import absolute_url
from weights.api.schemas.drafts import DraftOut, PublicationIn, PublicationOut
from weights.catalogue.models import Checkpoint
from weights.errors import WeightsCode
from weights.gate.caller import Caller
from weights.publishing.drafts import notes, owners, publication, queries
from weights.publishing.models import Revision

router = Router(tags=["Drafts"], auth=BearerToken())


@router.api_operation(
    READ_METHODS, "/drafts", response=responses(list[DraftOut]), summary="List my drafts"
)
def draft_list(request: ApiRequest) -> list[DraftOut]:
    """The newest draft of each branch that this write token may publish, at most 100."""
    owners.require_writer(request.auth, "")
    token = request.auth.token
    drafts = queries.drafts_of(current_user(request))
    listed = [one for one in drafts[:1000] if not token or token.covers(one.checkpoint.repo_id)]
    return [DraftOut.of(draft) for draft in listed[:100]]


@router.post(
    "/checkpoints/{org}/{name}/drafts/{revision}/publish",
    response=responses(PublicationOut, 404, 409, 412, *BODY_ERRORS),
    summary="Publish a draft",
)
def draft_publish(
    request: ApiRequest, org: str, name: str, revision: str, body: PublicationIn
) -> PublicationOut:
    """It becomes visible once its files are verified. Publishing again changes nothing.

    If it has files of a stricter tier, a second person must confirm a change request first.
    """
    draft = _draft(request.auth, f"{org}/{name}", revision)
    embargo = body.embargo_until
    if embargo is not None and embargo.tzinfo is None:
        embargo = embargo.replace(tzinfo=UTC)
    publication.ensure_findings(draft)
    with transaction.atomic():
        if body.notes is not None:
            notes.write_notes(draft, body.notes, by=current_user(request))
        waiting = publication.publish_draft(
            draft,
            by=current_user(request),
            private=body.private,
            embargo_until=embargo,
            accept_findings=body.accept_findings,
            reason=body.reason,
        )
    page = "admin:accounts_changerequest_change"
    return PublicationOut(
        repo=draft.checkpoint.repo_id,
        revision=draft.sha,
        state=draft.state,
        change_request=absolute_url(reverse(page, args=[waiting.pk])) if waiting else None,
    )


@router.delete(
    "/checkpoints/{org}/{name}/drafts/{revision}",
    response=responses(PublicationOut, 404, 409),
    summary="Discard a draft",
)
def draft_discard(request: ApiRequest, org: str, name: str, revision: str) -> PublicationOut:
    """Deletes it and the drafts based on it; the branch moves back to its parent."""
    draft = _draft(request.auth, f"{org}/{name}", revision)
    publication.discard(draft, by=current_user(request))
    return PublicationOut(
        repo=f"{org}/{name}", revision=draft.sha, state="discarded", change_request=None
    )


def _draft(caller: Caller, repo_id: str, name: str) -> Revision:
    """The revision of this id or branch, drafts included, for an owner of the checkpoint."""
    checkpoint = Checkpoint.objects.by_repo_id(repo_id)
    if checkpoint is None:
        message = f"There is no checkpoint {repo_id} here."
        raise ApiError(WeightsCode.REPOSITORY_NOT_FOUND, message)
    owners.require_owner(caller, checkpoint)
    draft = queries.find_revision(checkpoint, name) if is_storable(name) else None
    if draft is None:
        raise ApiError(WeightsCode.REVISION_NOT_FOUND, f"{checkpoint} has no draft {name}.")
    return draft
