"""The form for workload and accelerators, which validates for the page and the API."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from weights.catalogue.models import Checkpoint
from weights.hardware_fit.accelerators import ACCELERATORS, OTHER, other
from weights.hardware_fit.assessment import Assessment, Machines, Workload, default_assessment
from weights.hardware_fit.dtypes import Dtype
from weights.hardware_fit.model_shape import Shape

MAX_COUNT, MAX_CONTEXT, MAX_BATCH = 1024, 10_000_000, 100_000
MAX_MEMORY_GB = 10_000


class WorkloadForm(forms.Form):
    """Validates accelerators and workload for a checkpoint of this `shape`."""

    accelerator = forms.ChoiceField(
        choices=[*((one.key, one.name) for one in ACCELERATORS.values()), (OTHER, "Other")],
        error_messages={"invalid_choice": "%(value)s is not in the list of accelerators."},
    )
    memory_gb = forms.DecimalField(
        label="GB each, if Other",
        min_value=Decimal("0.5"),
        max_value=MAX_MEMORY_GB,
        max_digits=7,
        decimal_places=2,
        required=False,
    )
    count = forms.IntegerField(label="Count", min_value=1, max_value=MAX_COUNT)
    dtype = forms.ChoiceField(
        label="Weights in",
        choices=[(dtype.value, dtype.label) for dtype in Dtype],
        error_messages={"invalid_choice": "%(value)s is not in the list of dtypes."},
    )
    context = forms.IntegerField(label="Context, tokens", min_value=1, max_value=MAX_CONTEXT)
    batch = forms.IntegerField(min_value=1, max_value=MAX_BATCH)

    def __init__(self, values: Mapping[str, str], shape: Shape, files: int | None) -> None:
        """Uses the checkpoint's defaults for fields missing from `values`."""
        self.shape, self.published_size = shape, files
        super().__init__({**_defaults(shape, values), **values})
        if shape.published_bytes is None:
            field = self.fields["dtype"]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [(one.value, one.label) for one in Dtype if one != Dtype.PUBLISHED]

    def clean_context(self) -> int:
        context, maximum = int(self.cleaned_data["context"]), self.shape.context_length
        if maximum is not None and context > maximum:
            raise ValidationError(f"This checkpoint reads at most {maximum:,} tokens.")
        return context

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        accelerator, memory = cleaned.get("accelerator"), cleaned.get("memory_gb")
        if "memory_gb" not in cleaned or accelerator is None:
            return cleaned
        if accelerator == OTHER and memory is None:
            self.add_error("memory_gb", "Enter the memory of each accelerator.")
        elif accelerator != OTHER and memory is not None:
            self.add_error(
                "memory_gb", "Choose Other to enter a memory, or leave this field empty."
            )
        return cleaned

    @property
    def assessment(self) -> Assessment:
        """The assessment of a valid form."""
        cleaned = self.cleaned_data
        key = cleaned["accelerator"]
        accelerator = other(cleaned["memory_gb"]) if key == OTHER else ACCELERATORS[key]
        return Assessment(
            self.shape,
            Workload(Dtype(cleaned["dtype"]), cleaned["context"], cleaned["batch"]),
            Machines(accelerator, cleaned["count"]),
            self.published_size,
        )


class HardwareFitForm(WorkloadForm):
    """The form of the page, which also selects one of `checkpoints`."""

    checkpoint = forms.ChoiceField()
    field_order = ("checkpoint", "count", "accelerator", "memory_gb", "dtype", "context", "batch")

    def __init__(
        self,
        values: Mapping[str, str],
        shape: Shape,
        files: int | None,
        *,
        checkpoints: Collection[Checkpoint],
    ) -> None:
        super().__init__(values, shape, files)
        field = self.fields["checkpoint"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "Choose a checkpoint"), *((one.repo_id,) * 2 for one in checkpoints)]
        field.error_messages["invalid_choice"] = "There is no checkpoint with this name."


def _defaults(shape: Shape, values: Mapping[str, str]) -> dict[str, str]:
    """The default assessment as form values; its count applies to its accelerator only."""
    default = default_assessment(shape, None)
    named = "accelerator" in values
    return {
        "accelerator": default.machines.accelerator.key,
        "count": "1" if named else str(default.machines.count),
        "dtype": default.workload.dtype.value,
        "context": str(default.workload.context),
        "batch": str(default.workload.batch),
    }
