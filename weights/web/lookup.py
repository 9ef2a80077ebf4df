"""Look-up of checkpoints and revisions for pages; raises Http404, or Refused with the reason."""

from collections.abc import Callable
from functools import wraps

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import PRIVATE_READERS
from accounts.users.models import User
from accounts.web.current_user import user_or_none
from weights import gate
from weights.catalogue.models import Checkpoint
from weights.delivery import serving
from weights.gate.caller import session_caller
from weights.gate.refusals import Refusal
from weights.hub_api.revision_paths import split_revision_and_path
from weights.publishing.models import Revision
from weights.publishing.queries import SHA, ref_name


class Refused(Exception):
    """The requested revision is withdrawn, or nothing is published; `decision` says which."""

    def __init__(self, decision: gate.Decision) -> None:
        super().__init__(decision.message)
        self.decision = decision


def checkpoint_or_404(request: HttpRequest, org: str, name: str) -> Checkpoint:
    """Returns the checkpoint if the user may see it; otherwise 404, as if it did not exist."""
    visible = Checkpoint.objects.visible_to(user_or_none(request))
    checkpoint = visible.by_repo_id(f"{org}/{name}")
    if checkpoint is None:
        raise Http404(f"there is no checkpoint {org}/{name}")
    return checkpoint


def revision_and_path_or_404(
    request: HttpRequest, checkpoint: Checkpoint, rest: str
) -> tuple[str, Revision, str]:
    """The revision's short name, the revision, and the path below it.

    Raises Refused for a withdrawn revision, or if nothing is published.
    """
    user = user_or_none(request)
    candidates = []
    for name, path in split_revision_and_path(request, checkpoint.repo_id, rest, before=3):
        if (revision := gate.find_revision(checkpoint, name)) is not None:
            return ref_name(name)[0], revision, path
        candidates.append((name, path))
    for name, _ in candidates:
        if (withdrawn := gate.withdrawn(checkpoint, name)) is not None:
            raise Refused(withdrawn)
    for name, path in candidates:
        if (unpublished := unpublished_revision(user, checkpoint, name)) is not None:
            # By its id, since downloads do not find drafts by the name of a branch.
            return unpublished.sha, unpublished, path
    decision = gate.may_read_checkpoint(session_caller(user), checkpoint.repo_id, timezone.now())
    if not decision.allowed:
        raise Refused(decision)
    raise Http404(f"{checkpoint.repo_id} has no revision {rest}")


def unpublished_revision(user: User | None, checkpoint: Checkpoint, name: str) -> Revision | None:
    """Returns a draft, for its owners, or a pending or failed revision by its id, for more staff.

    These are the staff who may read the tier's private checkpoints. Call it for a name that
    finds nothing published.
    """
    if user is None or not is_active_staff(user):
        return None
    draft = gate.find_draft(session_caller(user), checkpoint, name, by_ref=True)
    if draft is not None or not SHA.fullmatch(name):
        return draft
    tiers = RoleAssignment.objects.held(user, PRIVATE_READERS).tiers()
    if tiers is not None and checkpoint.tier_id not in tiers:
        return None
    return checkpoint.revisions.awaiting_verification().filter(sha=name).first()


def with_refusals(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorator that turns Refused into the page of the withdrawn revision, or an error page."""

    @wraps(view)
    def wrapped(request: HttpRequest, org: str, name: str, rest: str) -> HttpResponse:
        try:
            return view(request, org, name, rest)
        except Refused as refused:
            decision = refused.decision
        if decision.code is Refusal.WITHDRAWN:
            return _withdrawn_page(request, decision)
        return serving.refusal(request, session_caller(user_or_none(request)), decision)

    return wrapped


def _withdrawn_page(request: HttpRequest, decision: gate.Decision) -> HttpResponse:
    """The date and reason of the withdrawal, and the revision that `main` points at now."""
    assert decision.checkpoint is not None
    context = {
        "checkpoint": decision.checkpoint,
        "revision": decision.revision,
        "code": decision.code,
        "main": gate.find_revision(decision.checkpoint, "main"),
    }
    page = render(
        request, "weights/publishing/revision_withdrawn.html", context, status=decision.status
    )
    page["X-Refusal-Code"] = str(decision.code)
    return page
