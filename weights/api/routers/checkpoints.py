"""Checkpoints, their revisions and manifests, and the accelerators that they run on."""

from decimal import Decimal
from typing import Annotated

from django.db.models import Prefetch
from ninja import Query, Router

from weights import gate
from weights.api.authentication import ApiRequest, OptionalToken
from weights.api.lookups import get_published_checkpoint, get_revision, get_visible_checkpoint
from weights.api.operations import READ_METHODS, responses
from weights.api.pagination import NO_NUL, Limit, Offset, page_facts
from weights.api.problems import ApiError, form_errors
from weights.api.schemas.checkpoints import (
    CheckpointDetail,
    CheckpointOut,
    CheckpointPage,
    FileOut,
    ManifestPage,
    MeasuredOut,
    RevisionOut,
)
from weights.api.schemas.family_facts import FootprintOut, OpennessOut
from weights.api.schemas.hardware_fit import AcceleratorOut, HardwareFitOut
from weights.api.schemas.tiers import LicenceOut, UseTermOut
from weights.catalogue import download_counts, licences, listing, measured
from weights.catalogue.listing import Filters, Order, ordered
from weights.catalogue.listing.filters import SIZES
from weights.catalogue.models import Checkpoint, CheckpointQuerySet
from weights.errors import WeightsCode
from weights.hardware_fit.accelerators import ACCELERATORS
from weights.hardware_fit.forms import WorkloadForm
from weights.hardware_fit.lookups import shape_at, source_of
from weights.inspection import results
from weights.manifests import signatures
from weights.publishing.models import Ref, Revision

Memory = Annotated[Decimal | None, Query(description="Memory of each, for `other` only")]
router = Router(tags=["Checkpoints"], auth=OptionalToken())


@router.api_operation(
    READ_METHODS,
    "/checkpoints",
    response=responses(CheckpointPage, 422),
    summary="List and search checkpoints",
)
def checkpoint_list(
    request: ApiRequest,
    search: str = Query(
        "",
        max_length=200,
        pattern=NO_NUL,
        description="Words of a name, title, summary, tag, card or logbook entry",
    ),
    org: str = Query("", max_length=96, pattern=NO_NUL, description="An organisation"),
    tag: str = Query("", max_length=100, pattern=NO_NUL, description="A tag of the card"),
    task: str = Query("", max_length=100, pattern=NO_NUL, description="The card's pipeline_tag"),
    licence: str = Query("", max_length=100, pattern=NO_NUL, description="Code of a licence"),
    format: str = Query("", max_length=20, pattern=NO_NUL, description="Format of the weights"),
    size: str = Query("", max_length=20, pattern=NO_NUL, description=f"One of {', '.join(SIZES)}"),
    tier: str = Query("", max_length=50, pattern=NO_NUL, description="Slug of a tier"),
    published: bool | None = Query(
        None, description="Only with published weights, or only without"
    ),
    sort: Order = Order.NAME,
    limit: Limit = 50,
    offset: Offset = 0,
) -> CheckpointPage:
    """All catalogue entries visible to you; gated checkpoints are visible to everyone."""
    visible = Checkpoint.objects.visible_to(request.auth.user, request.auth.token)
    facets = {"task": task, "licence": licence, "format": format, "size": size, "tier": tier}
    filters = Filters(
        text=search,
        org=org,
        tags=[tag] if tag else [],
        facets={name: [value] for name, value in facets.items() if value},
    )
    rows = listing.visible_rows(
        visible, with_cards=bool(tag or task), with_licences=bool(licence)
    ).rows
    if published is not None:
        rows = [row for row in rows if (row.published_at is not None) is published]
    downloads = download_counts.by_checkpoint() if sort is Order.DOWNLOADS else {}
    found = [row.pk for row in ordered(filters.matching_all(rows), sort, filters, downloads)]
    query = facets | {"search": search, "org": org, "tag": tag, "published": published}
    query["sort"] = "" if sort is Order.NAME else sort.value
    page = _with_main(Checkpoint.objects.all()).in_bulk(found[offset : offset + limit])
    return CheckpointPage(
        checkpoints=[_checkpoint(page[pk]) for pk in found[offset : offset + limit] if pk in page],
        **page_facts(request, len(found), limit=limit, offset=offset, **query),
    )


@router.api_operation(
    READ_METHODS,
    "/checkpoints/{org}/{name}",
    response=responses(CheckpointDetail, 404),
    summary="Read a checkpoint's facts and terms",
)
def checkpoint_detail(request: ApiRequest, org: str, name: str) -> CheckpointDetail:
    """Includes entries without published weights, whose `revision` is null."""
    checkpoint = get_visible_checkpoint(request.auth, f"{org}/{name}")
    refs = Ref.objects.filter(checkpoint=checkpoint, revision__state=Revision.State.VISIBLE)
    by_name = {ref.name: ref.revision for ref in refs.select_related("revision__measured")}
    main, text = by_name.get("main"), licences.text_of(checkpoint)
    counted = getattr(main, "measured", None)
    return CheckpointDetail(
        **CheckpointOut.fields_of(checkpoint, main),
        facts=measured.merged_facts(checkpoint, counted),
        measured=MeasuredOut.from_orm(counted) if counted else None,
        terms=LicenceOut.of_checkpoint(checkpoint, main, text.in_force() if text else None),
        use_terms=[UseTermOut.from_orm(term) for term in checkpoint.tier.use_terms],
        refs={ref: revision.sha for ref, revision in by_name.items()},
    )


@router.api_operation(
    READ_METHODS,
    "/checkpoints/{org}/{name}/revisions",
    response=responses(list[RevisionOut], 404),
    summary="List a checkpoint's revisions",
)
def revision_list(request: ApiRequest, org: str, name: str) -> list[RevisionOut]:
    """Published revisions, newest first, at most 1000."""
    checkpoint = get_published_checkpoint(request.auth, f"{org}/{name}")
    found = Revision.objects.visible().filter(checkpoint=checkpoint)
    found = found.select_related("parent", "checkpoint").prefetch_related("refs", "sources")
    signers = signatures.signers(checkpoint)
    return [
        RevisionOut.of(
            revision,
            [ref.name for ref in revision.refs.all()],
            revision.parent.sha if revision.parent else None,
            signers.get(revision.pk),
        )
        for revision in found[:1000]
    ]


@router.api_operation(
    READ_METHODS,
    "/checkpoints/{org}/{name}/files",
    response=responses(ManifestPage, 404, 422),
    summary="Read a revision's manifest",
)
def file_list(
    request: ApiRequest,
    org: str,
    name: str,
    revision: str = Query("main", max_length=300, description="Branch, tag, HEAD or 40-hex id"),
    limit: int = Query(1000, ge=1, le=1000),
    offset: Offset = 0,
) -> ManifestPage:
    """All files with sizes and hashes. Public for gated checkpoints too: only bytes are gated."""
    checkpoint = get_published_checkpoint(request.auth, f"{org}/{name}")
    found = get_revision(checkpoint, revision)
    files = list(found.files.select_related("blob")[offset : offset + limit])
    inspections = results.of_files(files)
    return ManifestPage(
        repo=checkpoint.repo_id,
        revision=found.sha,
        manifest_sha256=found.manifest_sha256,
        bytes=found.total_bytes,
        files=[FileOut.of(file, inspections.get(file.pk)) for file in files],
        **page_facts(request, found.file_count, limit=limit, offset=offset, revision=found.sha),
    )


@router.api_operation(
    READ_METHODS,
    "/accelerators",
    response=responses(list[AcceleratorOut]),
    summary="List accelerators",
)
def accelerator_list(request: ApiRequest) -> list[AcceleratorOut]:
    """The accelerators that `hardware-fit` accepts, in order of memory."""
    return [AcceleratorOut.of(accelerator) for accelerator in ACCELERATORS.values()]


@router.api_operation(
    READ_METHODS,
    "/checkpoints/{org}/{name}/footprint",
    response=responses(FootprintOut, 404),
    summary="Read the footprint of a checkpoint's family",
)
def footprint(request: ApiRequest, org: str, name: str) -> FootprintOut:
    """Energy and carbon of training as ranges, their inputs, and those of other models."""
    checkpoint = get_visible_checkpoint(request.auth, f"{org}/{name}")
    return FootprintOut.of(checkpoint.repo_id, checkpoint.family)


@router.api_operation(
    READ_METHODS,
    "/checkpoints/{org}/{name}/openness",
    response=responses(OpennessOut, 404),
    summary="Read what a checkpoint's family released",
)
def openness(request: ApiRequest, org: str, name: str) -> OpennessOut:
    """Components of the Model Openness Framework, and published results on bias."""
    checkpoint = get_visible_checkpoint(request.auth, f"{org}/{name}")
    return OpennessOut.of(checkpoint.repo_id, checkpoint.family)


@router.api_operation(
    READ_METHODS,
    "/checkpoints/{org}/{name}/hardware-fit",
    response=responses(HardwareFitOut, 404, 422),
    summary="Estimate whether a checkpoint runs on accelerators",
)
def hardware_fit(
    request: ApiRequest,
    org: str,
    name: str,
    accelerator: str | None = Query(
        None, max_length=20, pattern=NO_NUL, description="Key of an accelerator, or `other`"
    ),
    memory_gb: Memory = None,
    count: int | None = Query(None, description="Number of accelerators, at most 1024"),
    dtype: str | None = Query(
        None,
        max_length=20,
        pattern=NO_NUL,
        description="`float32`, `bfloat16`, `float16`, `int8`, `int4`, or `published` where tensor "
        "headers are published",
    ),
    context: int | None = Query(None, description="Tokens of prompt and answer"),
    batch: int | None = Query(None, description="Sequences at a time"),
) -> HardwareFitOut:
    """Memory for inference, from published facts. Omitted parameters have the page's defaults."""
    checkpoint = get_visible_checkpoint(request.auth, f"{org}/{name}")
    revision = gate.main_revision(checkpoint)
    parameters = {"accelerator": accelerator, "memory_gb": memory_gb, "count": count}
    parameters |= {"dtype": dtype, "context": context, "batch": batch}
    values = {key: str(value) for key, value in parameters.items() if value is not None}
    files = revision.total_bytes if revision else None
    form = WorkloadForm(values, shape_at(checkpoint, revision), files)
    if not form.is_valid():
        raise _invalid_workload(form)
    return HardwareFitOut.of(checkpoint.repo_id, form.assessment, source_of(checkpoint, revision))


def _with_main(found: CheckpointQuerySet) -> CheckpointQuerySet:
    main = Ref.objects.filter(name="main", revision__state=Revision.State.VISIBLE)
    return found.select_related("family", "licence", "tier__licence").prefetch_related(
        Prefetch("refs", main.select_related("revision__measured"), to_attr="main_refs")
    )


def _checkpoint(checkpoint: Checkpoint) -> CheckpointOut:
    main = [ref.revision for ref in checkpoint.main_refs]  # type: ignore[attr-defined]
    facts = CheckpointOut.fields_of(checkpoint, main[0] if main else None)
    return CheckpointOut(**facts)


def _invalid_workload(form: WorkloadForm) -> ApiError:
    errors = form_errors(form)
    detail = "; ".join(f"{one.field}: {one.message}" for one in errors[:3])
    return ApiError(WeightsCode.INVALID_REQUEST, detail, field_errors=errors)
