"""How the weights app reacts to decisions; this only hastens what the sweep would find."""

from typing import Any

from django.dispatch import receiver

from accounts.background import queue_now
from accounts.models import Application
from accounts.signals import application_decided


@receiver(application_decided)
def issue_links(sender: Any, application: Application, **kwargs: Any) -> None:
    """An approval makes a link for each published checkpoint of its tier."""
    grant = getattr(application, "grant", None)
    if grant is not None:
        queue_now("weights.issue_links_of_grant", grant.pk)
