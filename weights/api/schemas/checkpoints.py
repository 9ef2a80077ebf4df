"""Checkpoints, revisions, files and keys."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import Field

from weights.api.schemas.common import address
from weights.api.schemas.terms import LicenceTold, TierTold, UseTermTold
from weights.catalogue.models import Checkpoint, KnownIssue
from weights.inspection.models import Inspection
from weights.manifests.models import ManifestKey
from weights.publishing.models import File, Revision


class CheckpointTold(Schema):
    """A catalogue entry; `revision` is what `main` names, null where nothing is published."""

    repo: str
    title: str
    summary: str
    family: str | None
    tier: TierTold
    licence: str
    parameters: int | None
    synthetic: bool
    private: bool
    published_at: datetime | None
    revision: str | None
    files: int
    bytes: int
    url: str

    @classmethod
    def facts_of(cls, checkpoint: Checkpoint, main: Revision | None) -> dict[str, Any]:
        return {
            "repo": checkpoint.repo_id,
            "title": checkpoint.title,
            "summary": checkpoint.summary,
            "family": checkpoint.family.slug if checkpoint.family else None,
            "tier": TierTold.of(checkpoint.tier),
            "licence": checkpoint.tier.licence.slug,
            "parameters": checkpoint.parameters,
            "synthetic": checkpoint.synthetic,
            "private": checkpoint.private,
            "published_at": checkpoint.published_at,
            "revision": main.sha if main else None,
            "files": main.file_count if main else 0,
            "bytes": main.total_bytes if main else 0,
            "url": address(checkpoint.get_absolute_url()),
        }


class CheckpointDetail(CheckpointTold):
    facts: dict[str, Any]
    terms: LicenceTold
    use_terms: list[UseTermTold]
    refs: dict[str, str] = Field(description="Branches and tags, each with its revision's id")


class IssueTold(Schema):
    """A known issue or a finding, as it was published; `path` is empty for the whole."""

    id: UUID
    repo: str
    kind: str = Field(description="issue or finding")
    path: str
    title: str
    text: str
    published_at: datetime
    resolved_at: datetime | None

    @classmethod
    def of(cls, issue: KnownIssue) -> "IssueTold":
        return cls(
            id=issue.public_id,
            repo=issue.checkpoint.repo_id,
            kind=issue.kind,
            path=issue.path,
            title=issue.title,
            text=issue.text,
            published_at=issue.published_at,
            resolved_at=issue.resolved_at,
        )


class IssuePage(Schema):
    """`next` is the address of what follows, null on the last page."""

    issues: list[IssueTold]
    total: int
    next: str | None


class CheckpointPage(Schema):
    """`next` is the address of what follows, null on the last page."""

    checkpoints: list[CheckpointTold]
    total: int
    next: str | None


class KeyTold(Schema):
    """`pem` and its address are null for a compromised key, whose signatures prove nothing."""

    id: str
    purpose: Literal["manifests"]
    algorithm: Literal["ecdsa-p256-sha256"]
    state: Literal["current", "retired", "compromised"]
    fingerprint: str = Field(description="SHA-256 of the PEM file")
    pem: str | None
    url: str | None
    first_used_at: datetime
    retired_at: datetime | None
    compromised_at: datetime | None = Field(description="When that was known")
    compromised_from: datetime | None = Field(
        description="From when on others may have had it; null beside `compromised_at`: always"
    )
    reason: str

    @classmethod
    def of(cls, key: ManifestKey) -> "KeyTold":
        trusted = key.compromised_at is None
        return cls(
            id=key.key_id,
            purpose="manifests",
            algorithm="ecdsa-p256-sha256",
            state=key.state,
            fingerprint=key.fingerprint,
            pem=key.public_pem if trusted else None,
            url=address(f"/keys/{key.key_id}.pem") if trusted else None,
            first_used_at=key.first_used_at,
            retired_at=key.retired_at,
            compromised_at=key.compromised_at,
            compromised_from=key.compromised_from,
            reason=key.reason,
        )


class FindingTold(Schema):
    """What looks wrong in a revision's files; `paths` may be cut to the first ones."""

    code: str
    severity: Literal["error", "warning"]
    sentence: str
    paths: list[str]


class RevisionTold(Schema):
    """`findings` is null while nobody has looked, empty where nothing looks wrong."""

    id: str
    refs: list[str]
    parent: str | None
    message: str
    manifest_sha256: str
    files: int
    bytes: int
    published_at: datetime | None
    findings: list[FindingTold] | None
    manifest_url: str
    signature_url: str | None
    signed_by: str | None = Field(description="Id of the key; the newest that is trusted")

    @classmethod
    def of(
        cls, revision: Revision, refs: list[str], parent: str | None, key: str | None
    ) -> "RevisionTold":
        manifest = address(f"/{revision.checkpoint.repo_id}/manifest/{revision.sha}")
        return cls(
            id=revision.sha,
            refs=refs,
            parent=parent,
            message=revision.message,
            manifest_sha256=revision.manifest_sha256,
            files=revision.file_count,
            bytes=revision.total_bytes,
            published_at=revision.visible_at,
            findings=revision.findings,
            manifest_url=f"{manifest}.json",
            signature_url=f"{manifest}.sig" if key else None,
            signed_by=key,
        )


class InspectionTold(Schema):
    """What a file was found to be, by its name; `imports` are those of its pickles.

    `outcome` is inspected, not_inspected, refused, or overridden: refused, and let pass by two
    staff members.
    """

    format: str = Field(examples=["safetensors"])
    outcome: str
    reason: str = Field(description="Why it was refused or not inspected; empty otherwise")
    imports: list[str]
    tensors: int | None
    made_at: datetime

    @classmethod
    def of(cls, inspection: Inspection) -> "InspectionTold":
        refused = inspection.outcome == Inspection.Outcome.REFUSED
        return cls(
            format=inspection.kind,
            outcome="overridden" if refused and inspection.is_overridden else inspection.outcome,
            reason=inspection.reason,
            imports=inspection.imports,
            tensors=inspection.tensors,
            made_at=inspection.made_at,
        )


class FileTold(Schema):
    """One line of a manifest; `git_oid` is the git blob id of the file or of its LFS pointer."""

    path: str
    size: int
    sha256: str
    git_oid: str
    md5: str | None
    part: int | None
    shard: int | None
    state: str = Field(description="verified; anything else is not served now")
    inspection: InspectionTold | None = Field(description="null until its format was looked at")

    @classmethod
    def of(cls, file: File, inspection: Inspection | None) -> "FileTold":
        return cls(
            path=file.path,
            size=file.size,
            sha256=file.sha256,
            git_oid=file.git_oid,
            md5=file.md5 or None,
            part=file.part,
            shard=file.shard,
            state=file.blob.state,
            inspection=InspectionTold.of(inspection) if inspection else None,
        )


class ManifestPage(Schema):
    """The files of one revision in path order; `next` is null on the last page."""

    repo: str
    revision: str
    manifest_sha256: str
    total: int
    bytes: int
    files: list[FileTold]
    next: str | None
