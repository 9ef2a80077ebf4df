"""Accelerators, and whether a checkpoint runs on them."""

from decimal import Decimal
from typing import Annotated

from ninja import Query, Router

from weights import gate
from weights.api.authentication import ApiRequest, OptionalToken
from weights.api.lookups import get_visible_checkpoint
from weights.api.operations import READ_METHODS, responses
from weights.api.pagination import NO_NUL
from weights.api.problems import ApiError, FieldError
from weights.api.schemas.hardware_fit import AcceleratorOut, HardwareFitOut
from weights.errors import WeightsCode
from weights.hardware_fit.accelerators import ACCELERATORS
from weights.hardware_fit.forms import WorkloadForm
from weights.hardware_fit.queries import shape_at, source_of

Memory = Annotated[Decimal | None, Query(description="Memory of each, for `other` only")]
router = Router(tags=["Checkpoints"], auth=OptionalToken())


@router.api_operation(
    READ_METHODS,
    "/accelerators",
    response=responses(list[AcceleratorOut]),
    summary="List accelerators",
)
def accelerator_list(request: ApiRequest) -> list[AcceleratorOut]:
    """The accelerators that `hardware-fit` knows by key, by memory."""
    return [AcceleratorOut.of(accelerator) for accelerator in ACCELERATORS.values()]


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
    """Memory for inference by published facts; parameters left out take the page's defaults."""
    checkpoint = get_visible_checkpoint(request.auth, f"{org}/{name}")
    revision = gate.find_revision(checkpoint, "main") if checkpoint.published_at else None
    given = {"accelerator": accelerator, "memory_gb": memory_gb, "count": count}
    given |= {"dtype": dtype, "context": context, "batch": batch}
    values = {key: str(value) for key, value in given.items() if value is not None}
    files = revision.total_bytes if revision else None
    form = WorkloadForm(values, shape_at(checkpoint, revision), files)
    if not form.is_valid():
        raise _invalid(form)
    return HardwareFitOut.of(checkpoint.repo_id, form.assessment, source_of(checkpoint, revision))


def _invalid(form: WorkloadForm) -> ApiError:
    errors = [
        FieldError(field, str(message)) for field, texts in form.errors.items() for message in texts
    ]
    detail = "; ".join(f"{one.field}: {one.message}" for one in errors[:3])
    return ApiError(WeightsCode.INVALID_REQUEST, detail, field_errors=errors)
