"""Download plans, decisions of the gate, and files by hash."""

from django.db.models import Prefetch, QuerySet
from django.urls import reverse
from django.utils import timezone
from ninja import Path, Query, Router

from accounts.tiers.models import LicenceVersion
from weights import gate
from weights.api.authentication import ApiRequest, OptionalToken
from weights.api.operations import READ_METHODS, responses
from weights.api.problems import ApiError, next_step_of
from weights.api.schemas.common import absolute_url
from weights.api.schemas.downloads import (
    FilePlaceOut,
    GateDecisionOut,
    KnownFileOut,
    PlannedFileOut,
    PlanOut,
)
from weights.api.schemas.problems import NextStepOut
from weights.api.schemas.tiers import LicenceOut, TierOut
from weights.catalogue import licences
from weights.delivery.download_plan import download_plan
from weights.errors import WeightsCode
from weights.gate import Decision
from weights.publishing.files_by_hash import files_with_sha256
from weights.publishing.models import File

router = Router(tags=["Downloads"], auth=OptionalToken())

MAX_PLACES = 100


@router.api_operation(
    READ_METHODS,
    "/checkpoints/{org}/{name}/plan",
    response=responses(PlanOut, 404, 422),
    summary="Plan a download: files, bytes, URLs, time",
)
def plan(
    request: ApiRequest,
    org: str,
    name: str,
    revision: str = Query("main", max_length=300, description="Branch, tag, HEAD or 40-hex id"),
    rate: int | None = Query(None, ge=1, le=10**15, description="Bytes per second"),
) -> PlanOut:
    """Every file of a revision with its signed URL; request a new plan when these expire.

    For a gated checkpoint the token needs the scope read-gated.
    """
    download = download_plan(request.auth, f"{org}/{name}", revision, rate, timezone.now())
    return PlanOut(
        repo=download.revision.checkpoint.repo_id,
        revision=download.revision.sha,
        count=len(download.files),
        bytes=download.total_bytes,
        rate=rate,
        seconds=download.seconds,
        files=[PlannedFileOut(**file) for file in download.files],
    )


@router.api_operation(
    READ_METHODS,
    "/gate",
    response=responses(GateDecisionOut, 422),
    summary="Ask the gate without downloading anything",
)
def dry_run(
    request: ApiRequest,
    repo: str = Query(..., max_length=200, description="ORG/NAME"),
    revision: str = Query("main", max_length=300, description="Branch, tag, HEAD or 40-hex id"),
    path: str | None = Query(
        None, max_length=1024, description="A file; the whole checkpoint if omitted"
    ),
) -> GateDecisionOut:
    """The decision on a download with this credential, and the next step after a refusal.

    The status is 200 for refusals too; nothing is written to the download ledger.
    """
    now = timezone.now()
    if path is None:
        decision = gate.may_fetch_checkpoint(request.auth, repo, now)
    else:
        decision = gate.decide(request.auth, repo, revision, path, now)
    return _decision(decision, repo)


def _decision(decision: Decision, repo: str) -> GateDecisionOut:
    step = next_step_of(decision)
    file = decision.file
    return GateDecisionOut(
        allowed=decision.allowed,
        status=decision.status,
        code=decision.error_code,
        message=decision.message or "You may download it.",
        next_step=NextStepOut(**step) if step else None,
        repo=repo,
        revision=decision.revision.sha if decision.revision else None,
        path=file.path if file else None,
        sha256=file.sha256 if file else None,
        size=file.size if file else None,
        grant=decision.grant.public_id if decision.grant else None,
    )


@router.api_operation(
    READ_METHODS,
    "/files/{sha256}",
    response=responses(KnownFileOut, 404, 422),
    summary="Look a file up by its SHA-256",
)
def known_file(
    request: ApiRequest, sha256: str = Path(..., pattern="^[0-9a-fA-F]{64}$")
) -> KnownFileOut:
    """Every place where this file is published, with its terms.

    Lists only places visible to you; 404 if there are none.
    """
    found = files_with_sha256(sha256.lower(), request.auth.user, request.auth.token)
    files = list(_with_terms(found)[:MAX_PLACES])
    if not files:
        raise ApiError(
            WeightsCode.FILE_UNKNOWN, f"No file published here has the SHA-256 {sha256}."
        )
    return KnownFileOut(
        sha256=files[0].sha256,
        size=files[0].size,
        state=files[0].blob.state,
        total=found.count(),
        places=[_place(file) for file in files],
    )


def _with_terms(files: QuerySet[File]) -> QuerySet[File]:
    """Prefetches everything that `_place` reads, in a constant number of queries."""
    in_force = LicenceVersion.objects.filter(effective_at__lte=timezone.now())
    newest_first = in_force.order_by("-effective_at")
    return files.select_related(
        "blob", "revision__checkpoint__tier__licence", "revision__checkpoint__licence"
    ).prefetch_related(
        "revision__refs",
        *(
            Prefetch(f"revision__checkpoint__{licence}__versions", newest_first, "in_force_first")
            for licence in ("tier__licence", "licence")
        ),
    )


def _place(file: File) -> FilePlaceOut:
    revision = file.revision
    checkpoint = revision.checkpoint
    text = licences.text_of(checkpoint)
    versions: list[LicenceVersion] = text.in_force_first if text else []  # type: ignore[attr-defined]
    return FilePlaceOut(
        repo=checkpoint.repo_id,
        revision=revision.sha,
        refs=[ref.name for ref in revision.refs.all()],
        path=file.path,
        tier=TierOut.from_orm(checkpoint.tier),
        terms=LicenceOut.of_checkpoint(checkpoint, revision, versions[0] if versions else None),
        url=absolute_url(
            reverse(
                "weights:file-detail",
                args=[checkpoint.org, checkpoint.name, f"{revision.sha}/{file.path}"],
            )
        ),
    )
