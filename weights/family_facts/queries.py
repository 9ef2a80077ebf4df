"""Families whose facts a user may read."""

from typing import TYPE_CHECKING

from django.db.models import QuerySet

from weights.catalogue.models import Checkpoint, Family

if TYPE_CHECKING:
    from accounts.users.models import User


def visible_families(user: "User | None") -> QuerySet[Family]:
    """Families with a checkpoint that `user` may see, in list order."""
    visible = Checkpoint.objects.visible_to(user)
    return Family.objects.filter(checkpoints__in=visible).distinct()
