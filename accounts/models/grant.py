"""The live right of one person to one tier."""

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from accounts.errors import AlreadyHeld, InvalidValue, TransitionRefused
from accounts.models.audit import AuditEvent
from accounts.reasons import RULES

if TYPE_CHECKING:
    from accounts.models import LicenceVersion, Tier, User


class GrantQuerySet(models.QuerySet["Grant"]):
    def live(self, now: datetime | None = None) -> "GrantQuerySet":
        """Grants that open their tier now."""
        return self.filter(state=Grant.State.ACTIVE, expires_at__gt=now or timezone.now())

    def unended(self) -> "GrantQuerySet":
        return self.filter(state__in=[Grant.State.ACTIVE, Grant.State.SUSPENDED])

    def expire_due(self, now: datetime | None = None) -> int:
        """Mark grants whose end has passed; the gate does not wait for this."""
        now = now or timezone.now()
        ended = 0
        for grant in self.unended().filter(expires_at__lte=now):
            with transaction.atomic():
                still = Grant.objects.unended().filter(pk=grant.pk, expires_at__lte=now)
                if still.update(state=Grant.State.EXPIRED, ended_at=grant.expires_at):
                    AuditEvent.record("grant.expired", target=grant)
                    ended += 1
        return ended

    @transaction.atomic
    def give(
        self,
        user: "User",
        tier: "Tier",
        *,
        licence_version: "LicenceVersion",
        until: datetime,
        origin: str,
        by: "User | None",
        reason: str = "",
        application: models.Model | None = None,
    ) -> "Grant":
        """Make the grant and its audit event.

        Raises AlreadyHeld when a live one exists, InvalidValue when `until` has passed.
        """
        now = timezone.now()
        if until <= now:
            raise InvalidValue(f"a grant must end in the future, not at {until:%Y-%m-%d %H:%M} UTC")
        self.filter(user=user, tier=tier).expire_due(now)
        if self.unended().filter(user=user, tier=tier).exists():
            raise AlreadyHeld(f"{user} already holds a grant for {tier.slug}; revoke it first")
        grant = self.create(
            user=user,
            tier=tier,
            licence_version=licence_version,
            starts_at=now,
            expires_at=until,
            origin=origin,
            reason=reason,
            made_by=by,
            application=application,
        )
        AuditEvent.record(
            "grant.given",
            actor=by,
            target=grant,
            details={
                "tier": tier.slug,
                "holder": str(user.public_id),
                "origin": origin,
                "until": until.isoformat(),
                "licence": licence_version.text_sha256,
                "reason": reason,
            },
        )
        return grant


class Grant(models.Model):
    """The right of one person to one tier, from start to end. Only grants open the gate."""

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        SUSPENDED = "suspended", "Suspended"
        EXPIRED = "expired", "Expired"
        REVOKED = "revoked", "Revoked"
        SURRENDERED = "surrendered", "Given back"

    class Origin(models.TextChoices):
        APPLICATION = "application", "Approved application"
        CLICK_THROUGH = "click-through", "Licence accepted"
        BREAK_GLASS = "break-glass", "Given by staff"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="grants")
    tier = models.ForeignKey("accounts.Tier", models.PROTECT, related_name="grants")
    licence_version = models.ForeignKey("accounts.LicenceVersion", models.PROTECT)
    application = models.OneToOneField(
        "accounts.Application", models.PROTECT, null=True, blank=True, related_name="grant"
    )
    origin = models.CharField(max_length=20, choices=Origin.choices)
    state = models.CharField(max_length=20, choices=State.choices, default=State.ACTIVE)
    reason = models.CharField(max_length=500, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    starts_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=500, blank=True)
    #: A code of the reason catalogue, which may ask for days of waiting.
    end_code = models.CharField(max_length=40, blank=True)

    objects = GrantQuerySet.as_manager()

    class Meta:
        permissions = [
            ("revoke_grant", "Can revoke a grant"),
            ("give_grant", "Can give a grant outside a review"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "tier"],
                condition=models.Q(state__in=["active", "suspended"]),
                name="one_unended_grant_per_person_and_tier",
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("starts_at")),
                name="a_grant_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=models.Q(origin="application", application__isnull=False)
                | (~models.Q(origin="application") & models.Q(application=None)),
                name="a_grant_from_a_review_names_its_application",
            ),
            models.CheckConstraint(
                condition=~models.Q(origin="break-glass", reason=""),
                name="a_break_glass_grant_has_a_reason",
            ),
        ]
        indexes = [models.Index(fields=["user", "tier", "state"], name="grant_for_the_gate")]

    def __str__(self) -> str:
        return f"{self.tier} for {self.user} until {self.expires_at:%Y-%m-%d}"

    @property
    def is_live(self) -> bool:
        return self.state == self.State.ACTIVE and self.expires_at > timezone.now()

    def licence_holds(self, now: datetime, in_force: "LicenceVersion | None") -> bool:
        """Whether the accepted version is the one in force, or its notice still runs."""
        if in_force is None or in_force.pk == self.licence_version_id:
            return True
        if in_force.effective_at <= self.licence_version.effective_at:
            return True
        return now < in_force.effective_at + timedelta(days=in_force.notice_days)

    @transaction.atomic
    def revoke(self, *, by: "User | None", reason: str, code: str = "") -> None:
        """End this grant for good; the next look of the gate refuses.

        `code` is one of the reason catalogue, `reason` a text for the holder. Raises
        TransitionRefused when it has ended already, InvalidValue for a code that ends none.
        """
        if code and "revoke" not in RULES[code].actions:
            raise InvalidValue(f"the reason {code!r} does not go with revoke")
        now = timezone.now()
        changed = (
            Grant.objects.unended()
            .filter(pk=self.pk)
            .update(state=self.State.REVOKED, ended_at=now, end_reason=reason, end_code=code)
        )
        if not changed:
            raise TransitionRefused(f"this grant has ended already ({self.state})")
        self.state, self.ended_at, self.end_reason = self.State.REVOKED, now, reason
        self.end_code = code
        details = {"reason": reason, "code": code}
        AuditEvent.record("grant.revoked", actor=by, target=self, details=details)
