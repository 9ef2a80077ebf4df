"""Find what an address names, or answer 404; 410 for what was withdrawn."""

from collections.abc import Callable
from functools import wraps

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import PRIVATE_READERS
from accounts.users.models import User
from weights import gate
from weights.catalogue.models import Checkpoint
from weights.delivery import serving
from weights.gate.caller import session_caller
from weights.gate.revision_names import SHA
from weights.hub_api.revision_paths import split_revision_and_path
from weights.publishing.models import Revision


def person(request: HttpRequest) -> User | None:
    """Who is signed in, if anyone."""
    return request.user if isinstance(request.user, User) else None


def checkpoint_or_404(request: HttpRequest, org: str, name: str) -> Checkpoint:
    """The checkpoint, if this person may know of it; a private one looks like a missing one."""
    found = Checkpoint.objects.visible_to(person(request)).by_repo_id(f"{org}/{name}")
    if found is None:
        raise Http404(f"there is no checkpoint {org}/{name}")
    return found


def revision_and_path_or_404(
    request: HttpRequest, checkpoint: Checkpoint, rest: str
) -> tuple[str, Revision, str]:
    """What `rest` names: the revision as written, the revision, and the path below it."""
    readings = split_revision_and_path(request, checkpoint.repo_id, rest, before=3)
    for written, path in readings:
        if (revision := gate.find_revision(checkpoint, written)) is not None:
            return written, revision, path
    for written, _ in split_revision_and_path(request, checkpoint.repo_id, rest, before=3):
        if (gone := gate.withdrawn(checkpoint, written)) is not None:
            raise Withdrawn(gone)
    for written, path in split_revision_and_path(request, checkpoint.repo_id, rest, before=3):
        if (unshown := _unshown(person(request), checkpoint, written)) is not None:
            return written, unshown, path
    if not (entry := _may_read_about(request, checkpoint)).allowed:
        raise Refused(entry)
    raise Http404(f"{checkpoint.repo_id} has no revision {rest}")


def _may_read_about(request: HttpRequest, checkpoint: Checkpoint) -> gate.Decision:
    caller = session_caller(person(request))
    return gate.may_read_checkpoint(caller, checkpoint.repo_id, timezone.now())


def _unshown(user: User | None, checkpoint: Checkpoint, name: str) -> Revision | None:
    """One that is being verified or was refused, by its id, for who watches over its tier."""
    if user is None or not SHA.fullmatch(name) or not is_active_staff(user):
        return None
    held = RoleAssignment.objects.held(user, PRIVATE_READERS).values_list("tier_id", flat=True)
    if not {None, checkpoint.tier_id} & set(held):
        return None
    states = (Revision.State.PENDING, Revision.State.FAILED)
    return checkpoint.revisions.filter(sha=name, state__in=states).first()


class Withdrawn(Exception):
    """The address names a revision that was taken back."""

    def __init__(self, gone: gate.Decision) -> None:
        super().__init__(gone.message)
        self.gone = gone


class Refused(Exception):
    """The checkpoint has no published files: none at all, or its first are being verified."""

    def __init__(self, decision: gate.Decision) -> None:
        super().__init__(decision.message)
        self.decision = decision


def with_refusals(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Answer for what is withdrawn or not published with a page that says so."""

    @wraps(view)
    def answer(request: HttpRequest, org: str, name: str, rest: str) -> HttpResponse:
        try:
            return view(request, org, name, rest)
        except Withdrawn as withdrawn:
            return tombstone(request, withdrawn.gone)
        except Refused as refused:
            return serving.refusal(request, session_caller(person(request)), refused.decision)

    return answer


def tombstone(request: HttpRequest, gone: gate.Decision) -> HttpResponse:
    """What was withdrawn, when and why, and what there is instead."""
    assert gone.checkpoint is not None
    context = {
        "checkpoint": gone.checkpoint,
        "revision": gone.revision,
        "code": gone.code,
        "main": gate.find_revision(gone.checkpoint, "main"),
    }
    page = render(
        request, "weights/publishing/revision_withdrawn.html", context, status=gone.status
    )
    page["X-Refusal-Code"] = str(gone.code)
    return page
