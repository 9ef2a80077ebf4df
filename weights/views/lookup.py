"""Find what an address names, or answer 404."""

from django.http import Http404, HttpRequest

from accounts.models import User
from weights import gate
from weights.hub_api.addresses import revision_and_path
from weights.models import Checkpoint, Revision


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
    readings = revision_and_path(request, checkpoint.repo_id, rest, before=3)
    for written, path in readings:
        if (revision := gate.find_revision(checkpoint, written)) is not None:
            return written, revision, path.strip("/")
    raise Http404(f"{checkpoint.repo_id} has no revision {rest}")
