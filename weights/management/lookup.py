"""Look up the records that command arguments name."""

from django.core.management.base import CommandError

from weights.catalogue.models import Checkpoint


def find_checkpoint(repo_id: str) -> Checkpoint:
    """Returns the checkpoint `ORG/NAME`. Raises CommandError if it does not exist."""
    found = Checkpoint.objects.by_repo_id(repo_id)
    if found is None:
        raise CommandError(f"there is no checkpoint {repo_id}; /models lists the checkpoints")
    return found
