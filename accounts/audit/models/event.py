"""The append-only audit trail: actions, their actors and their targets."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models.functions import Coalesce

from accounts.audit import request_context
from accounts.audit.event_tags import EventTag
from accounts.web import sanitize

if TYPE_CHECKING:
    from accounts.users.models import User


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def about(self, target: models.Model) -> "AuditEventQuerySet":
        """Return the events about one object, oldest first."""
        kind, key = _identify(target)
        return self.filter(object_kind=kind, object_id=key).order_by("pk")

    def forget_networks(self, before: datetime) -> int:
        """Blank the networks of events older than `before`. Returns the number of rows.

        This is the only change that the triggers allow. The seal does not cover the network
        (docs/decisions/0006).
        """
        old = self.filter(at__lt=before).exclude(network="")
        return models.QuerySet.update(old, network="")

    def forget_networks_of(self, person: "User") -> int:
        """Blank the networks of the person's actions, and of failed sign-ins to their account."""
        own = self.filter(actor_id=person.public_id).exclude(network="")
        blanked = models.QuerySet.update(own, network="")
        return blanked + self.forget_networks_of_strangers(person)

    def forget_networks_of_strangers(self, target: models.Model) -> int:
        """Blank the networks of anonymous events about an object."""
        rows = self.about(target).filter(actor_id=None).exclude(network="").order_by()
        return models.QuerySet.update(rows, network="")

    def update(self, **kwargs: Any) -> int:
        raise TypeError("audit events are append-only")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("audit events are append-only")


class AuditEventManager(models.Manager["AuditEvent"]):
    def about(self, target: models.Model) -> AuditEventQuerySet:
        return self.get_queryset().about(target)

    def forget_networks(self, before: datetime) -> int:
        return self.get_queryset().forget_networks(before)

    def forget_networks_of(self, person: "User") -> int:
        return self.get_queryset().forget_networks_of(person)

    def forget_networks_of_strangers(self, target: models.Model) -> int:
        return self.get_queryset().forget_networks_of_strangers(target)

    def update(self, **kwargs: Any) -> int:
        return self.get_queryset().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        return self.get_queryset().delete()

    def get_queryset(self) -> AuditEventQuerySet:
        """Annotate `actor_name`, the actor's current username; empty without an actor."""
        people = get_user_model().objects.filter(public_id=models.OuterRef("actor_id"))
        name = models.Subquery(people.values("username")[:1])
        annotations = {"actor_name": Coalesce(name, models.Value(""))}
        return AuditEventQuerySet(self.model, using=self._db).annotate(**annotations)


class AuditEvent(models.Model):
    """One event, written in the transaction of the change that it describes.

    `action` is an `EventTag`; `actor_id` is the person's random public id, which remains after
    the account is erased. An event must not contain secrets, complete links, form answers or
    people's names: names are looked up for display, so erasing a person changes no event
    (docs/decisions/0006).
    """

    if TYPE_CHECKING:
        actor_name: str

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    actor_id = models.UUIDField(null=True)
    credential_kind = models.CharField(max_length=20, blank=True)
    credential_id = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=60, db_index=True)
    object_kind = models.CharField(max_length=60, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    result = models.CharField(max_length=40, default="ok")
    details = models.JSONField(default=dict, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    network = models.CharField(max_length=64, blank=True)

    objects = AuditEventManager()

    class Meta:
        indexes = [
            models.Index(fields=["object_kind", "object_id"], name="audit_by_object"),
            models.Index(fields=["actor_id"], name="audit_by_actor"),
        ]

    def __str__(self) -> str:
        tag = EventTag.named(self.action)
        return f"{tag.label if tag else self.action}, {self.at.day} {self.at:%b %Y, %H:%M} UTC"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("audit events are append-only")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("audit events are append-only")

    @classmethod
    def record(
        cls,
        action: EventTag,
        *,
        actor: "User | None" = None,
        target: models.Model | None = None,
        credential: tuple[str, str] = ("", ""),
        result: str = "ok",
        details: dict[str, Any] | None = None,
    ) -> "AuditEvent":
        """Append one event; `credential` is its kind and id.

        Strings are reduced to one line and stripped of secrets.
        """
        event = cls._new(action, target, result, details or {})
        event.actor_id = actor.public_id if actor else None
        event.credential_kind = credential[0]
        event.credential_id = sanitize.log_line(credential[1])[:64]
        event.save()
        event.actor_name = actor.username if actor else ""
        return event

    @classmethod
    def record_each(
        cls, action: EventTag, details: Mapping[models.Model, dict[str, Any]], *, result: str = "ok"
    ) -> None:
        """Append one event without an actor for each target, in one statement."""
        cls.objects.bulk_create(
            cls._new(action, target, result, values) for target, values in details.items()
        )

    @classmethod
    def _new(
        cls, action: EventTag, target: models.Model | None, result: str, details: dict[str, Any]
    ) -> "AuditEvent":
        kind, key = _identify(target) if target is not None else ("", "")
        context = request_context.current()
        return cls(
            action=action,
            object_kind=kind,
            object_id=key,
            result=result,
            details=sanitize.log_value(details),
            request_id=sanitize.log_line(context.request_id)[:64],
            network=context.network,
        )


def _identify(target: models.Model) -> tuple[str, str]:
    """Return an object's kind and id: its `public_id` if it has one, or else its primary key."""
    return target._meta.model_name or "", str(getattr(target, "public_id", target.pk))
