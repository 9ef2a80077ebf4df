"""The audit events that a person may read about themselves."""

from django.db import models

from accounts.api_tokens.models import ApiToken
from accounts.audit.models import AuditEvent
from accounts.grants.models import Grant
from accounts.users.models import User


def events_concerning(person: User) -> "models.QuerySet[AuditEvent]":
    """Return events by the person, or about their account, applications, grants and tokens."""
    condition = models.Q(actor_id=person.public_id)
    condition |= models.Q(object_kind="user", object_id=str(person.public_id))
    objects = {
        "application": person.applications.values_list("public_id", flat=True),
        "grant": Grant.objects.filter(user=person).values_list("public_id", flat=True),
        "apitoken": ApiToken.objects.filter(user=person).values_list("public_id", flat=True),
    }
    for kind, ids in objects.items():
        condition |= models.Q(object_kind=kind, object_id__in=[str(public_id) for public_id in ids])
    return AuditEvent.objects.filter(condition)
