"""In which tier a checkpoint stands: its first, and each move, in the tiers' public history."""

from django.db import transaction

from accounts.tiers import services
from accounts.tiers.models import Tier
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.integrity import verification


def note_first(checkpoint: Checkpoint, *, by: User | None) -> None:
    """Note a new checkpoint in its tier's history, in the transaction that made it."""
    services.record_checkpoint(
        checkpoint.repo_id, before=None, after=checkpoint.tier, by=by, hidden=checkpoint.is_hidden
    )


@transaction.atomic
def keep(checkpoint: Checkpoint, *, by: User | None) -> None:
    """Save an existing checkpoint; where its tier is another one, both histories tell.

    One that the public may not know of is named by none of its earlier changes either.
    A tier that takes inspected formats only has every file looked at that nobody has, or that
    was looked at by other rules. What is published stays, as it does where a tier becomes so.
    """
    stood = Checkpoint.objects.select_for_update().get(pk=checkpoint.pk)
    before = Tier.objects.get(pk=stood.tier_id)
    checkpoint.save()
    if checkpoint.is_hidden:
        services.hide_checkpoint(checkpoint.repo_id)
    if before.pk != checkpoint.tier_id:
        hidden = checkpoint.is_hidden or stood.is_hidden
        services.record_checkpoint(
            checkpoint.repo_id, before=before, after=checkpoint.tier, by=by, hidden=hidden
        )
        verification.inspect_strictly(Checkpoint.objects.filter(pk=checkpoint.pk))
