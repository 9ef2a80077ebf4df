"""What was called back, for programs."""

from datetime import datetime
from uuid import UUID

from ninja import Field, Query, Router, Schema

from weights.api import schemas
from weights.api.answers import READ, answers
from weights.api.authentication import ApiRequest, OptionalToken
from weights.api.routers.checkpoints import FAR, following
from weights.recalls import notices

router = Router(tags=["Checkpoints"], auth=OptionalToken())


class RecalledPlace(Schema):
    """Where the bytes stand, or stood."""

    repo: str
    path: str


class RecallTold(Schema):
    """Called-back bytes have `sha256` and `places`, a revision has `repo` and `revision`."""

    id: UUID
    state: str = Field(description="open or repaired")
    cause: str = Field(description="check, owner or withdrawal")
    reason: str
    sha256: str | None
    places: list[RecalledPlace]
    repo: str | None
    revision: str | None
    opened_at: datetime
    repaired_at: datetime | None
    repaired_in: str | None = Field(description="The revision that brought other bytes")
    url: str

    @classmethod
    def of(cls, notice: notices.Notice) -> "RecallTold":
        recall = notice.recall
        revision = recall.revision
        return cls(
            id=recall.public_id,
            state=recall.state,
            cause=recall.cause,
            reason=recall.reason,
            sha256=recall.blob.sha256 if recall.blob else None,
            places=[RecalledPlace(repo=one.repo_id, path=one.path) for one in notice.places],
            repo=revision.checkpoint.repo_id if revision else None,
            revision=revision.sha if revision else None,
            opened_at=recall.opened_at,
            repaired_at=recall.repaired_at,
            repaired_in=recall.repaired_in.sha if recall.repaired_in else None,
            url=schemas.address(recall.get_absolute_url()),
        )


class RecallPage(Schema):
    """`next` is the address of what follows, null on the last page."""

    recalls: list[RecallTold]
    total: int
    next: str | None


@router.api_operation(
    READ, "/recalls", response=answers(RecallPage, 422), summary="List what was called back"
)
def recall_list(
    request: ApiRequest,
    state: str = Query("", pattern="^(open|repaired)?$", description="open or repaired"),
    limit: int = Query(50, ge=1, le=100),
    offset: int = Query(0, ge=0, le=FAR),
) -> RecallPage:
    """Newest first. To know whether a file of yours is meant, compare its SHA-256."""
    found = notices.readable(request.auth.user)
    if state:
        found = found.filter(state=state)
    total = found.count()
    told = notices.noticed(found[offset : offset + limit], request.auth.user)
    return RecallPage(
        recalls=[RecallTold.of(notice) for notice in told],
        total=total,
        next=following("/recalls", {"state": state}, limit, offset, total),
    )
