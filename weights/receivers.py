"""How the weights app reacts to decisions, and answers what the accounts app asks."""

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from accounts.background import queue_now
from accounts.models import Application, Grant
from accounts.receipts import Address
from accounts.signals import addresses_asked, application_decided
from weights import given


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
    return given.on_grant(grant, now)
