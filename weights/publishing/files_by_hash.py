"""Finds published files by their SHA-256."""

from django.db.models import QuerySet

from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.publishing.models import File, Revision


def files_with_sha256(sha256: str, user: User | None) -> QuerySet[File]:
    """Files with this content in visible revisions of checkpoints that `user` may see."""
    return File.objects.filter(
        blob__sha256=sha256,
        revision__state=Revision.State.VISIBLE,
        revision__checkpoint__in=Checkpoint.objects.visible_to(user).published(),
    ).order_by("revision__checkpoint__org", "revision__checkpoint__name", "-revision", "path")
