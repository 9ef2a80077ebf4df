"""Checkpoints, their revisions and their manifests."""

from urllib.parse import urlencode

from django.db.models import Prefetch, Q
from ninja import Query, Router

from weights.api import schemas
from weights.api.answers import READ, answers
from weights.api.authentication import ApiRequest, OptionalToken
from weights.api.finding import checkpoint_known, checkpoint_published, revision_named
from weights.api.problems import ROOT
from weights.catalogue.models import Checkpoint
from weights.catalogue.models.checkpoint import CheckpointQuerySet
from weights.inspection import results
from weights.manifests import signatures
from weights.publishing.models import Ref, Revision

router = Router(tags=["Checkpoints"], auth=OptionalToken())

FAR = 10_000_000
#: PostgreSQL looks for no text that holds one.
NO_NUL = r"^[^\x00]*$"


@router.api_operation(
    READ,
    "/checkpoints",
    response=answers(schemas.CheckpointPage, 422),
    summary="List and search checkpoints",
)
def checkpoint_list(
    request: ApiRequest,
    search: str = Query(
        "", max_length=200, pattern=NO_NUL, description="Part of a name, title or summary"
    ),
    tier: str = Query("", max_length=50, pattern=NO_NUL, description="Slug of a tier"),
    published: bool | None = Query(None, description="Only those with bytes, or without"),
    limit: int = Query(50, ge=1, le=100),
    offset: int = Query(0, ge=0, le=FAR),
) -> schemas.CheckpointPage:
    """Every catalogue entry that you may know of, by name; gated ones are told to all."""
    found = Checkpoint.objects.visible_to(request.auth.user)
    if search:
        words = [
            Q(**{f"{field}__icontains": search}) for field in ("org", "name", "title", "summary")
        ]
        found = found.filter(words[0] | words[1] | words[2] | words[3])
    if tier:
        found = found.filter(tier__slug=tier)
    if published is not None:
        found = found.filter(published_at__isnull=not published)
    total = found.count()
    page = _with_main(found)[offset : offset + limit]
    query = {"search": search, "tier": tier, "published": published}
    return schemas.CheckpointPage(
        checkpoints=[_told(checkpoint) for checkpoint in page],
        total=total,
        next=following("/checkpoints", query, limit, offset, total),
    )


@router.api_operation(
    READ,
    "/checkpoints/{org}/{name}",
    response=answers(schemas.CheckpointDetail, 404),
    summary="Read a checkpoint's facts and terms",
)
def checkpoint_detail(request: ApiRequest, org: str, name: str) -> schemas.CheckpointDetail:
    """Also of entries whose weights are not published here: their `revision` is null."""
    checkpoint = checkpoint_known(request.auth, f"{org}/{name}")
    refs = Ref.objects.filter(checkpoint=checkpoint, revision__state=Revision.State.VISIBLE)
    by_name = {ref.name: ref.revision for ref in refs.select_related("revision")}
    licence = checkpoint.tier.licence
    return schemas.CheckpointDetail(
        **schemas.CheckpointTold.facts_of(checkpoint, by_name.get("main")),
        facts=checkpoint.facts,
        terms=schemas.LicenceTold.of(licence, licence.in_force()),
        use_terms=[schemas.UseTermTold.of(term) for term in checkpoint.tier.use_terms],
        refs={ref: revision.sha for ref, revision in by_name.items()},
    )


@router.api_operation(
    READ,
    "/checkpoints/{org}/{name}/revisions",
    response=answers(list[schemas.RevisionTold], 404),
    summary="List a checkpoint's revisions",
)
def revision_list(request: ApiRequest, org: str, name: str) -> list[schemas.RevisionTold]:
    """Those that are published, newest first, at most 1000."""
    checkpoint = checkpoint_published(request.auth, f"{org}/{name}")
    found = Revision.objects.visible().filter(checkpoint=checkpoint)
    found = found.select_related("parent", "checkpoint").prefetch_related("refs")
    signers = signatures.signers(checkpoint)
    return [
        schemas.RevisionTold.of(
            revision,
            [ref.name for ref in revision.refs.all()],
            revision.parent.sha if revision.parent else None,
            signers.get(revision.pk),
        )
        for revision in found[:1000]
    ]


@router.api_operation(
    READ,
    "/checkpoints/{org}/{name}/files",
    response=answers(schemas.ManifestPage, 404, 422),
    summary="Read a revision's manifest",
)
def file_list(
    request: ApiRequest,
    org: str,
    name: str,
    revision: str = Query("main", max_length=300, description="Branch, tag or 40-hex id"),
    limit: int = Query(1000, ge=1, le=1000),
    offset: int = Query(0, ge=0, le=FAR),
) -> schemas.ManifestPage:
    """Every file with its size and hashes, of gated checkpoints too: bytes are what is gated."""
    checkpoint = checkpoint_published(request.auth, f"{org}/{name}")
    found = revision_named(checkpoint, revision)
    files = list(found.files.select_related("blob")[offset : offset + limit])
    seen = results.of_files(files)
    path = f"/checkpoints/{checkpoint.repo_id}/files"
    return schemas.ManifestPage(
        repo=checkpoint.repo_id,
        revision=found.sha,
        manifest_sha256=found.manifest_sha256,
        total=found.file_count,
        bytes=found.total_bytes,
        files=[schemas.FileTold.of(file, seen.get(file.pk)) for file in files],
        next=following(path, {"revision": found.sha}, limit, offset, found.file_count),
    )


def following(
    path: str, query: dict[str, str | bool | None], limit: int, offset: int, total: int
) -> str | None:
    """The address of the next page, None after the last."""
    if offset + limit >= total:
        return None
    asked = {
        key: str(value).lower() if isinstance(value, bool) else value
        for key, value in query.items()
        if value not in ("", None)
    }
    page = {"limit": limit, "offset": offset + limit}
    return schemas.address(f"{ROOT}{path}?{urlencode(asked | page)}")


def _with_main(found: CheckpointQuerySet) -> CheckpointQuerySet:
    main = Ref.objects.filter(name="main", revision__state=Revision.State.VISIBLE)
    return found.select_related("family", "tier__licence").prefetch_related(
        Prefetch("refs", main.select_related("revision"), to_attr="main_refs")
    )


def _told(checkpoint: Checkpoint) -> schemas.CheckpointTold:
    main = [ref.revision for ref in checkpoint.main_refs]  # type: ignore[attr-defined]
    facts = schemas.CheckpointTold.facts_of(checkpoint, main[0] if main else None)
    return schemas.CheckpointTold(**facts)
