"""How the weights app reacts to decisions, and answers what the accounts app asks."""

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from accounts.applications.models import Application
from accounts.background.queueing import queue_now
from accounts.grants.models import Grant
from accounts.grants.outstanding_links import Address
from accounts.signals import (
    addresses_asked,
    application_decided,
    checkpoints_asked,
    person_erased,
)
from accounts.tiers.models import Tier
from accounts.users.models import User
from weights.delivery import links, outstanding_links
from weights.delivery.models import CheckpointLink
from weights.ledger.models import Download


@receiver(application_decided)
def issue_links(sender: Any, application: Application, **kwargs: Any) -> None:
    """An approval makes a link for each published checkpoint of its tier.

    This only hastens what the sweep would find.
    """
    grant = getattr(application, "grant", None)
    if grant is not None:
        queue_now("weights.issue_links_of_grant", grant.pk)


@receiver(addresses_asked)
def addresses_given(sender: Any, grant: Grant, now: datetime, **kwargs: Any) -> list[Address]:
    """What was given on a grant that is being closed."""
    return outstanding_links.on_grant(grant, now)


@receiver(checkpoints_asked)
def checkpoints_of(sender: Any, tier: Tier, **kwargs: Any) -> list[str]:
    """What an approval tells its holder of: those that it makes links for."""
    return [checkpoint.repo_id for checkpoint in links.offered(tier)]


@receiver(person_erased)
def forget_person(sender: Any, person: User, **kwargs: Any) -> None:
    """End the links of an erased person; their downloads stay without the network."""
    mine = CheckpointLink.objects.filter(holder=person)
    for link in mine.filter(revoked_at=None):
        links.revoke_link(link, by=person)
    mine.update(plan=[])
    Download.objects.filter(user_id=person.pk).exclude(network="").update(network="")
