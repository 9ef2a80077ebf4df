"""What a command's words name."""

from django.core.management.base import CommandError

from weights.catalogue.models import Checkpoint


def checkpoint(repo_id: str) -> Checkpoint:
    """The checkpoint of this name; raises CommandError where there is none."""
    found = Checkpoint.objects.by_repo_id(repo_id)
    if found is None:
        raise CommandError(f"there is no checkpoint {repo_id}; /models lists what there is")
    return found
