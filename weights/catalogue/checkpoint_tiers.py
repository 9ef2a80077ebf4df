"""The tier of a checkpoint: its first one and each change, in the public history of tiers."""

from django.db import transaction

from accounts.tiers import services
from accounts.tiers.models import Tier
from accounts.users import recent_authentication
from accounts.users.models import User
from weights.catalogue import licences
from weights.catalogue.models import Checkpoint
from weights.integrity import verification
from weights.publishing.models import Revision


def record_new_checkpoint(checkpoint: Checkpoint, *, by: User | None) -> None:
    """Records a new checkpoint in its tier's history; call in the transaction that creates it."""
    services.record_checkpoint(
        checkpoint.repo_id, before=None, after=checkpoint.tier, by=by, hidden=checkpoint.is_hidden
    )


@transaction.atomic
def save_checkpoint(checkpoint: Checkpoint, *, by: User | None) -> None:
    """Saves an existing checkpoint; a change of tier is recorded in the history of both tiers.

    Earlier history entries of a checkpoint that becomes hidden lose its name. In a tier that
    accepts only inspected formats, files without a current inspection are queued for one; what is
    published stays published. Raises RecentAuthenticationRequired after an old sign-in, and
    PublishRefused for a gated tier under another licence than the card's.
    """
    recent_authentication.require()
    stored = Checkpoint.objects.select_for_update().get(pk=checkpoint.pk)
    before = Tier.objects.get(pk=stored.tier_id)
    checkpoint.save()
    if checkpoint.is_hidden:
        services.hide_checkpoint(checkpoint.repo_id)
    if before.pk != checkpoint.tier_id:
        check_licence(checkpoint, checkpoint.tier)
        hidden = checkpoint.is_hidden or stored.is_hidden
        services.record_checkpoint(
            checkpoint.repo_id, before=before, after=checkpoint.tier, by=by, hidden=hidden
        )
        verification.inspect_strictly(Checkpoint.objects.filter(pk=checkpoint.pk))


def check_licence(checkpoint: Checkpoint, tier: Tier) -> None:
    """Raises PublishRefused if the card of `main` contradicts the licence of a gated tier."""
    if not tier.is_gated:
        return
    main = Revision.objects.filter(checkpoint=checkpoint, refs__name="main").first()
    licences.check(tier, main.licence if main else {})
