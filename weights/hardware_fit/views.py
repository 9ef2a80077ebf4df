"""The page "Will it run?"."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.web.current_user import user_or_none
from accounts.web.sanitize import is_storable
from weights import gate
from weights.catalogue.models import Checkpoint
from weights.hardware_fit import presentation
from weights.hardware_fit.commands import commands
from weights.hardware_fit.forms import HardwareFitForm
from weights.hardware_fit.lookups import shape_at, source_of
from weights.hardware_fit.model_shape import Shape


@require_safe
def will_it_run(request: HttpRequest) -> HttpResponse:
    """The form, and the assessment of the checkpoint in the query string."""
    visible = list(Checkpoint.objects.visible_to(user_or_none(request)).select_related("tier"))
    values = {key: str(value) for key, value in request.GET.items() if is_storable(str(value))}
    repo_id = values.get("checkpoint", "")
    checkpoint = next((one for one in visible if one.repo_id == repo_id), None)
    revision = gate.main_revision(checkpoint) if checkpoint else None
    shape = shape_at(checkpoint, revision) if checkpoint else Shape()
    files = revision.total_bytes if revision else None
    form = HardwareFitForm(values, shape, files, checkpoints=visible)
    if not repo_id:
        form.errors.clear()  # the form has not been submitted yet
    context: dict[str, Any] = {"form": form, "checkpoint": checkpoint}
    if repo_id and form.is_valid() and checkpoint:
        source = source_of(checkpoint, revision)
        context |= {
            "fit": presentation.displayed(form.assessment),
            "source": source,
            "commands": commands(form.assessment, source),
            "revision": revision,
        }
    return render(request, "weights/hardware_fit/will_it_run.html", context)
