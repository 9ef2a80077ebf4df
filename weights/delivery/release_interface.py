"""Implements the interface through which `accounts` reads checkpoints and changes links."""

from datetime import datetime

from accounts.background.queueing import queue_after_commit
from accounts.grants.models import Grant
from accounts.release_interface import Address, CheckpointSize
from accounts.tiers.models import Tier
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.delivery import links, outstanding_links
from weights.delivery.models import CheckpointLink
from weights.hardware_fit.evidence import estimated_size
from weights.ledger.models import Download
from weights.task_names import WeightsTask


class DeliveryReleases:
    """See `accounts.release_interface.ReleaseInterface`."""

    def checkpoints_of(self, tier: Tier) -> list[str]:
        return sorted(checkpoint.repo_id for checkpoint in links.offered(tier))

    def sizes_of(self, tier: Tier) -> list[CheckpointSize]:
        public = Checkpoint.objects.released().filter(tier=tier, private=False)
        return [
            estimated_size(checkpoint, checkpoint.parameters)
            for checkpoint in public.filter(parameters__isnull=False)
            if checkpoint.parameters is not None
        ]

    def addresses_of(self, grant: Grant, now: datetime) -> list[Address]:
        return outstanding_links.on_grant(grant, now)

    def issue_links(self, grant: Grant) -> None:
        queue_after_commit(WeightsTask.ISSUE_LINKS_OF_GRANT, grant.pk)

    def end_links(self, person: User, *, by: User | None, sessions_only: bool = False) -> None:
        links.end_links(person, by=by, sessions_only=sessions_only)

    def forget_person(self, person: User) -> None:
        mine = CheckpointLink.objects.filter(holder=person)
        for link in mine.filter(revoked_at=None):
            links.revoke_link(link, by=person)
        mine.update(plan=[], state_reason="", session_key="")
        Download.objects.filter(user_id=person.pk).exclude(network="").update(network="")
