"""Finds published files by their SHA-256."""

from django.db.models import QuerySet

from accounts.api_tokens.models import ApiToken
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.publishing.models import File, Revision


def files_with_sha256(
    sha256: str, user: User | None, token: ApiToken | None = None
) -> QuerySet[File]:
    """Files with this hash in visible revisions of checkpoints that `user` may see with `token`."""
    return File.objects.filter(
        blob__sha256=sha256,
        revision__state=Revision.State.VISIBLE,
        revision__checkpoint__in=Checkpoint.objects.visible_to(user, token).published(),
    ).order_by("revision__checkpoint__org", "revision__checkpoint__name", "-revision", "path")
