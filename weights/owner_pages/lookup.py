"""Look up the checkpoints that a release owner may change; anything else is 404."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import OWNERS
from accounts.users.models import User
from accounts.web.current_user import signed_in
from weights.catalogue.models import Checkpoint
from weights.publishing.drafts import owners
from weights.publishing.models import Revision


def is_release_owner(person: User) -> bool:
    return is_active_staff(person) and RoleAssignment.objects.held(person, OWNERS).exists()


def release_owners_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """404 for people without the role; anonymous visitors are sent to sign in."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not is_release_owner(signed_in(request)):
            raise Http404("you are not a release owner")
        return view(request, *args, **kwargs)

    return login_required(wrapped)


def own_checkpoint(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Pass the checkpoint ORG/NAME to the view; 404 unless the user is its release owner."""

    @wraps(view)
    def wrapped(
        request: HttpRequest, org: str, name: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        person = signed_in(request)
        checkpoint = Checkpoint.objects.visible_to(person).by_repo_id(f"{org}/{name}")
        if checkpoint is None or not owners.is_owner(person, checkpoint):
            raise Http404(f"you are not a release owner of {org}/{name}")
        return view(request, checkpoint, *args, **kwargs)

    return login_required(wrapped)


def revision_or_404(checkpoint: Checkpoint, sha: str) -> Revision:
    revision = get_object_or_404(Revision, checkpoint=checkpoint, sha=sha)
    revision.checkpoint = checkpoint
    return revision
