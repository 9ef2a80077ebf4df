"""Recalls of bytes and revisions."""

from datetime import datetime
from uuid import UUID

from ninja import Field, Query, Router, Schema

from weights.api.authentication import ApiRequest, OptionalToken
from weights.api.operations import READ_METHODS, responses
from weights.api.pagination import Limit, Offset, page_facts
from weights.api.schemas.common import absolute_url
from weights.recalls import notices

router = Router(tags=["Checkpoints"], auth=OptionalToken())


class RecalledFileOut(Schema):
    """A path that holds or held the bytes."""

    repo: str
    path: str


class RecallOut(Schema):
    """A recall of bytes has `sha256` and `places`, one of a revision `repo` and `revision`."""

    id: UUID
    state: str = Field(description="open or repaired")
    cause: str = Field(description="check, owner or withdrawal")
    reason: str
    sha256: str | None
    places: list[RecalledFileOut]
    repo: str | None
    revision: str | None
    opened_at: datetime
    repaired_at: datetime | None
    repaired_in: str | None = Field(description="The revision with corrected bytes")
    url: str

    @classmethod
    def of(cls, notice: notices.Notice) -> "RecallOut":
        recall = notice.recall
        revision = recall.revision
        return cls(
            id=recall.public_id,
            state=recall.state,
            cause=recall.cause,
            reason=recall.reason,
            sha256=recall.blob.sha256 if recall.blob else None,
            places=[RecalledFileOut(repo=one.repo_id, path=one.path) for one in notice.places],
            repo=revision.checkpoint.repo_id if revision else None,
            revision=revision.sha if revision else None,
            opened_at=recall.opened_at,
            repaired_at=recall.repaired_at,
            repaired_in=recall.repaired_in.sha if recall.repaired_in else None,
            url=absolute_url(recall.get_absolute_url()),
        )


class RecallPage(Schema):
    """`next` is the URL of the next page, null on the last."""

    recalls: list[RecallOut]
    total: int
    next: str | None


@router.api_operation(
    READ_METHODS, "/recalls", response=responses(RecallPage, 422), summary="List recalls"
)
def recall_list(
    request: ApiRequest,
    state: str = Query("", pattern="^(open|repaired)?$", description="open or repaired"),
    limit: Limit = 50,
    offset: Offset = 0,
) -> RecallPage:
    """Newest first. Compare SHA-256 hashes to see if a recall concerns one of your files."""
    caller = request.auth
    found = notices.visible_recalls(caller.user, caller.token)
    if state:
        found = found.filter(state=state)
    facts = page_facts(request, found.count(), limit=limit, offset=offset, state=state)
    page = notices.notices_for(found[offset : offset + limit], caller.user, caller.token)
    return RecallPage(recalls=[RecallOut.of(notice) for notice in page], **facts)
