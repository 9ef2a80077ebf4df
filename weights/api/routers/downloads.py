"""What a download takes, what the gate would say, and where a hash is from."""

from urllib.parse import quote

from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from ninja import Path, Query, Router

from accounts.tiers.models import LicenceVersion
from weights import gate
from weights.api import schemas
from weights.api.answers import READ, answers
from weights.api.authentication import ApiRequest, OptionalToken
from weights.api.problems import Refused, code_of, step_after
from weights.delivery.download_plan import download_plan
from weights.gate import Decision
from weights.publishing.known_files import places_of
from weights.publishing.models import File

router = Router(tags=["Downloads"], auth=OptionalToken())

PLACES_TOLD = 100


@router.api_operation(
    READ,
    "/checkpoints/{org}/{name}/plan",
    response=answers(schemas.Plan, 404, 422),
    summary="Plan a download: files, bytes, addresses, time",
)
def plan(
    request: ApiRequest,
    org: str,
    name: str,
    revision: str = Query("main", max_length=300, description="Branch, tag or 40-hex id"),
    rate: int | None = Query(None, ge=1, le=10**15, description="Bytes a second"),
) -> schemas.Plan:
    """Every file of a revision with its own signed address; ask again when these have expired.

    For a gated checkpoint the token needs the scope read-gated.
    """
    made = download_plan(request.auth, f"{org}/{name}", revision, rate, timezone.now())
    return schemas.Plan(
        repo=made.revision.checkpoint.repo_id,
        revision=made.revision.sha,
        count=len(made.files),
        bytes=made.revision.total_bytes,
        rate=rate,
        seconds=made.seconds,
        files=[schemas.PlannedFile(**file) for file in made.files],
    )


@router.api_operation(
    READ,
    "/gate",
    response=answers(schemas.Answer, 422),
    summary="Ask the gate without fetching anything",
)
def dry_run(
    request: ApiRequest,
    repo: str = Query(..., max_length=200, description="ORG/NAME"),
    revision: str = Query("main", max_length=300, description="Branch, tag or 40-hex id"),
    path: str | None = Query(None, max_length=1024, description="A file; else the whole"),
) -> schemas.Answer:
    """What a download with this credential would be told now, and what to do next.

    A refusal is the answer here, so it comes with 200; nothing enters the download ledger.
    """
    now = timezone.now()
    if path is None:
        decision = gate.may_read(request.auth, repo, now)
    else:
        decision = gate.decide(request.auth, repo, revision, path, now)
    return _answer(decision, repo)


def _answer(decision: Decision, repo: str) -> schemas.Answer:
    step = step_after(decision)
    file = decision.file
    return schemas.Answer(
        allowed=decision.allowed,
        status=decision.status,
        code=code_of(decision) or None,
        message=decision.message or "You may fetch it.",
        next_step=schemas.NextStep(**step) if step else None,
        repo=repo,
        revision=decision.revision.sha if decision.revision else None,
        path=file.path if file else None,
        sha256=file.sha256 if file else None,
        size=file.size if file else None,
        grant=decision.grant.public_id if decision.grant else None,
    )


@router.api_operation(
    READ,
    "/files/{sha256}",
    response=answers(schemas.FileKnown, 404, 422),
    summary="Look a file up by its SHA-256",
)
def known_file(
    request: ApiRequest,
    sha256: str = Path(..., pattern="^[0-9a-fA-F]{64}$"),
) -> schemas.FileKnown:
    """Is this file from here, where does it stand, and under what terms?

    Only places that you may know of are told; a file that stands nowhere else is unknown.
    """
    found = places_of(sha256.lower(), request.auth.user)
    files = list(_with_terms(found)[:PLACES_TOLD])
    if not files:
        raise Refused("file_unknown", f"No published file from here has the SHA-256 {sha256}.")
    return schemas.FileKnown(
        sha256=files[0].sha256,
        size=files[0].size,
        state=files[0].blob.state,
        total=found.count(),
        places=[_place(file) for file in files],
    )


def _with_terms(files: QuerySet[File]) -> QuerySet[File]:
    """With everything a place tells, in a constant number of queries."""
    in_force = LicenceVersion.objects.filter(effective_at__lte=timezone.now())
    return files.select_related("blob", "revision__checkpoint__tier__licence").prefetch_related(
        "revision__refs",
        Prefetch(
            "revision__checkpoint__tier__licence__versions",
            in_force.order_by("-effective_at"),
            to_attr="in_force_first",
        ),
    )


def _place(file: File) -> schemas.Place:
    revision = file.revision
    checkpoint = revision.checkpoint
    licence = checkpoint.tier.licence
    versions: list[LicenceVersion] = licence.in_force_first  # type: ignore[attr-defined]
    return schemas.Place(
        repo=checkpoint.repo_id,
        revision=revision.sha,
        refs=[ref.name for ref in revision.refs.all()],
        path=file.path,
        tier=schemas.TierTold.of(checkpoint.tier),
        terms=schemas.LicenceTold.of(licence, versions[0] if versions else None),
        url=schemas.address(f"/{checkpoint.repo_id}/blob/{revision.sha}/{quote(file.path)}"),
    )
