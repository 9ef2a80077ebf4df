"""The events of the trail that are one person's: what they did, and what was done about them."""

from django.db import models

from accounts.api_tokens.models import ApiToken
from accounts.audit.models import AuditEvent
from accounts.grants.models import Grant
from accounts.users.models import User


def of(person: User) -> "models.QuerySet[AuditEvent]":
    """By the person, and about their account, applications, grants and tokens."""
    own = models.Q(actor_id=person.public_id)
    about = models.Q(object_kind="user", object_id=str(person.public_id))
    things = {
        "application": person.applications.values_list("public_id", flat=True),
        "grant": Grant.objects.filter(user=person).values_list("public_id", flat=True),
        "apitoken": ApiToken.objects.filter(user=person).values_list("public_id", flat=True),
    }
    for kind, ids in things.items():
        about |= models.Q(object_kind=kind, object_id__in=[str(one) for one in ids])
    return AuditEvent.objects.filter(own | about)
