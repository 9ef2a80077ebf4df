"""Drafts of the caller, and how to publish one."""

from datetime import datetime

from ninja import Field, Schema

from weights.api.schemas.common import RequestBody
from weights.integrity import verification
from weights.publishing.drafts.commits import MOST_MESSAGE
from weights.publishing.models import Revision


class DraftOut(Schema):
    repo: str
    revision: str = Field(description="40-hex id")
    branch: str
    message: str
    created_at: datetime
    files: int
    bytes: int
    tier: str
    verified: int = Field(description="Number of verified blobs")
    waiting: int = Field(description="Number of blobs whose check has no result yet")
    failures: list[str] = Field(description="Files that failed, with the reason")
    findings: list[str] = Field(description="Problems that the lint found in its files")

    @classmethod
    def of(cls, draft: Revision) -> "DraftOut":
        """Reads the progress of its verification."""
        progress = verification.progress_of_revisions([draft])
        return cls(
            repo=draft.checkpoint.repo_id,
            revision=draft.sha,
            branch=draft.branch,
            message=draft.message,
            created_at=draft.created_at,
            files=draft.file_count,
            bytes=draft.total_bytes,
            tier=draft.checkpoint.tier.slug,
            verified=progress.counts["verified"],
            waiting=progress.waiting,
            failures=[f"{path}: {reason}" for path, reason in progress.failures],
            findings=[str(one["sentence"]) for one in draft.findings or []],
        )


class PublicationIn(RequestBody):
    private: bool | None = Field(None, description="First publication only: keep it private")
    embargo_until: datetime | None = Field(
        None, description="First publication only: hide it until this time"
    )
    accept_findings: bool = Field(False, description="Publish despite lint errors")
    reason: str = Field("", max_length=500, description="For the second person, if one is needed")
    notes: str | None = Field(
        None,
        max_length=MOST_MESSAGE,
        description="Release notes, in place of the draft's message; the first line is the title",
    )


class PublicationOut(Schema):
    repo: str
    revision: str
    state: str = Field(
        description="`pending`, `visible` once its files are verified; or `discarded`"
    )
    change_request: str | None = Field(
        description="Page of the change request, if a second person must confirm first"
    )
