"""Checkpoints, revisions, files and keys."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.urls import reverse
from ninja import Schema
from pydantic import Field

from weights.api.schemas.common import AliasedSchema, absolute_url
from weights.api.schemas.tiers import LicenceOut, TierOut, UseTermOut
from weights.catalogue import licences, measured
from weights.catalogue.models import Checkpoint
from weights.inspection.models import Inspection
from weights.manifests.models import ManifestKey
from weights.publishing.models import File, Revision


class CheckpointOut(Schema):
    """A catalogue entry; `revision` is the target of `main`, null if nothing is published."""

    repo: str
    title: str
    summary: str
    family: str | None
    tier: TierOut
    licence: str | None = Field(description="Null if none is stated")
    parameters: int | None = Field(description="Counted from the published files, else declared")
    synthetic: bool
    private: bool
    published_at: datetime | None
    revision: str | None
    files: int
    bytes: int
    url: str

    @classmethod
    def fields_of(cls, checkpoint: Checkpoint, main: Revision | None) -> dict[str, Any]:
        licence = licences.of_checkpoint(checkpoint, main)
        counted = getattr(main, "measured", None)
        return {
            "repo": checkpoint.repo_id,
            "title": checkpoint.title,
            "summary": checkpoint.summary,
            "family": checkpoint.family.slug if checkpoint.family else None,
            "tier": TierOut.from_orm(checkpoint.tier),
            "licence": licence.code if licence else None,
            "parameters": measured.parameters_of(checkpoint, counted),
            "synthetic": checkpoint.synthetic,
            "private": checkpoint.private,
            "published_at": checkpoint.published_at,
            "revision": main.sha if main else None,
            "files": main.file_count if main else 0,
            "bytes": main.total_bytes if main else 0,
            "url": absolute_url(checkpoint.get_absolute_url()),
        }


class MeasuredOut(Schema):
    """Facts counted from the files of `main`; `counted_from` is empty if none could be."""

    counted_from: str = Field(examples=["safetensors"])
    formats: list[str]
    tensor_types: dict[str, int] = Field(description="Elements by dtype")
    parameters: int | None
    weight_bytes: int
    architecture: dict[str, Any]


class CheckpointDetail(CheckpointOut):
    facts: dict[str, Any] = Field(
        description="Counted facts have the status `counted`, and win over declared ones"
    )
    measured: MeasuredOut | None = Field(description="Null until the files are counted")
    terms: LicenceOut | None
    use_terms: list[UseTermOut]
    refs: dict[str, str] = Field(description="Branches and tags with the ids of their revisions")


class IssueOut(AliasedSchema):
    """A published known issue or finding; an empty `path` concerns the whole checkpoint."""

    id: UUID = Field(validation_alias="public_id")
    repo: str = Field(validation_alias="checkpoint.repo_id")
    kind: str = Field(description="issue or finding")
    path: str
    title: str
    text: str
    published_at: datetime
    resolved_at: datetime | None


class IssuePage(Schema):
    """`next` is the URL of the next page, null on the last."""

    issues: list[IssueOut]
    total: int
    next: str | None


class CheckpointPage(Schema):
    """`next` is the URL of the next page, null on the last."""

    checkpoints: list[CheckpointOut]
    total: int
    next: str | None


class KeyOut(Schema):
    """`pem` and `url` are null for a compromised key, whose signatures prove nothing."""

    id: str
    purpose: Literal["manifests"]
    algorithm: Literal["ecdsa-p256-sha256"]
    state: Literal["current", "retired", "compromised"]
    fingerprint: str = Field(description="SHA-256 of the PEM file")
    pem: str | None
    url: str | None
    first_used_at: datetime
    retired_at: datetime | None
    compromised_at: datetime | None = Field(description="When the compromise became known")
    compromised_from: datetime | None = Field(
        description="Start of the compromise; null with `compromised_at` set: from the first use"
    )
    reason: str

    @classmethod
    def of(cls, key: ManifestKey) -> "KeyOut":
        trusted = key.compromised_at is None
        return cls(
            id=key.key_id,
            purpose="manifests",
            algorithm="ecdsa-p256-sha256",
            state=key.state,
            fingerprint=key.fingerprint,
            pem=key.public_pem if trusted else None,
            url=absolute_url(reverse("weights:key-file", args=[key.key_id])) if trusted else None,
            first_used_at=key.first_used_at,
            retired_at=key.retired_at,
            compromised_at=key.compromised_at,
            compromised_from=key.compromised_from,
            reason=key.reason,
        )


class FindingOut(Schema):
    """A defect in a revision's files; `paths` may be truncated."""

    code: str
    severity: Literal["error", "warning"]
    sentence: str
    paths: list[str]


class RevisionSourceOut(AliasedSchema):
    """A commit on another hub from which the revision was mirrored."""

    hub: str = Field(examples=["https://huggingface.co"])
    repo: str = Field(validation_alias="repo_id")
    commit: str


class RevisionOut(Schema):
    """`findings` is null before the files are checked, empty if the check found nothing."""

    id: str
    refs: list[str]
    parent: str | None
    message: str
    manifest_sha256: str
    files: int
    bytes: int
    published_at: datetime | None
    findings: list[FindingOut] | None
    sources: list[RevisionSourceOut]
    manifest_url: str
    signature_url: str | None
    signed_by: str | None = Field(description="Id of the newest trusted key that signed it")

    @classmethod
    def of(
        cls, revision: Revision, refs: list[str], parent: str | None, key: str | None
    ) -> "RevisionOut":
        checkpoint = revision.checkpoint
        args = [checkpoint.org, checkpoint.name, revision.sha]
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
            sources=[RevisionSourceOut.from_orm(source) for source in revision.sources.all()],
            manifest_url=absolute_url(reverse("weights:manifest", args=args)),
            signature_url=(
                absolute_url(reverse("weights:manifest-signature", args=args)) if key else None
            ),
            signed_by=key,
        )


class InspectionOut(Schema):
    """The inspection of a file under its name; `imports` are those of its pickles.

    `outcome` is inspected, not_inspected, code (it contains a program, which is not judged),
    refused, or overridden: a refusal that staff overrode.
    """

    format: str = Field(examples=["safetensors"])
    outcome: str
    reason: str = Field(description="Why it was refused or not inspected; empty otherwise")
    imports: list[str]
    tensors: int | None
    made_at: datetime

    @classmethod
    def of(cls, inspection: Inspection) -> "InspectionOut":
        refused = inspection.outcome == Inspection.Outcome.REFUSED
        return cls(
            format=inspection.kind,
            outcome="overridden" if refused and inspection.is_overridden else inspection.outcome,
            reason=inspection.reason,
            imports=inspection.imports,
            tensors=inspection.tensors,
            made_at=inspection.made_at,
        )


class FileOut(Schema):
    """An entry of a manifest; `git_oid` is the git blob id of the file or of its LFS pointer."""

    path: str
    size: int
    sha256: str
    git_oid: str
    md5: str | None
    part: int | None
    shard: int | None
    state: str = Field(description="verified; files in any other state are not served")
    inspection: InspectionOut | None = Field(description="null until its format has been inspected")

    @classmethod
    def of(cls, file: File, inspection: Inspection | None) -> "FileOut":
        return cls(
            path=file.path,
            size=file.size,
            sha256=file.sha256,
            git_oid=file.git_oid,
            md5=file.md5 or None,
            part=file.part,
            shard=file.shard,
            state=file.blob.state,
            inspection=InspectionOut.of(inspection) if inspection else None,
        )


class ManifestPage(Schema):
    """The files of one revision in path order; `next` is null on the last page."""

    repo: str
    revision: str
    manifest_sha256: str
    total: int
    bytes: int
    files: list[FileOut]
    next: str | None
