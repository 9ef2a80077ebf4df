"""Grants: the right of one person to one tier."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.errors import TransitionRefused
from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment, in_tiers
from accounts.roles.permissions import APPLICATION_READERS

if TYPE_CHECKING:
    from accounts.tiers.models import LicenceVersion, Tier
    from accounts.users.models import User


class GrantQuerySet(models.QuerySet["Grant"]):
    def live(self, now: datetime | None = None) -> "GrantQuerySet":
        """Return active grants whose end has not passed."""
        return self.filter(state=Grant.State.ACTIVE, expires_at__gt=now or timezone.now())

    def unended(self) -> "GrantQuerySet":
        return self.filter(state__in=[Grant.State.ACTIVE, Grant.State.SUSPENDED])

    def readable_by(self, user: "User") -> "GrantQuerySet":
        """Return the grants that `user` may read as staff: those of the tiers of their roles."""
        if not is_active_staff(user):
            return self.none()
        return in_tiers(self, RoleAssignment.objects.held(user, APPLICATION_READERS).tiers())

    def due_to_expire(self, now: datetime) -> "GrantQuerySet":
        """Return grants whose end has passed but which are not yet marked as expired."""
        return self.unended().filter(expires_at__lte=now).select_related("user", "tier")

    def due_to_resume(self, now: datetime) -> "GrantQuerySet":
        """Return suspended grants that have not expired and whose suspension ends by `now`."""
        suspended = self.filter(state=Grant.State.SUSPENDED, expires_at__gt=now)
        return suspended.filter(suspended_until__lte=now).select_related("user", "tier")

    def without_reminder(self, days: int) -> "GrantQuerySet":
        """Return grants for which neither the `days` expiry reminder nor a later one was sent."""
        return self.filter(models.Q(reminded_days=None) | models.Q(reminded_days__gt=days))


class Grant(models.Model):
    """The right of one person to download one tier's files for a term. The gate requires one."""

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        SUSPENDED = "suspended", "Suspended"
        EXPIRED = "expired", "Expired"
        REVOKED = "revoked", "Revoked"
        SURRENDERED = "surrendered", "Given back"

    class Origin(models.TextChoices):
        APPLICATION = "application", "Approved application"
        CLICK_THROUGH = "click-through", "Licence accepted"
        BREAK_GLASS = "break-glass", "Granted by staff"

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
    #: A code of the reason catalogue; some have a waiting period.
    end_code = models.CharField(max_length=40, blank=True)
    suspended_at = models.DateTimeField(null=True, blank=True)
    #: When the suspension ends automatically; None if only staff can end it.
    suspended_until = models.DateTimeField(null=True, blank=True)
    suspension_reason = models.CharField(max_length=500, blank=True)
    #: The last expiry reminder sent, in days before the end.
    reminded_days = models.PositiveSmallIntegerField(null=True, blank=True)

    objects = GrantQuerySet.as_manager()

    class Meta:
        permissions = [
            ("revoke_grant", "Can suspend, resume and revoke a grant"),
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
        indexes = [
            models.Index(fields=["user", "tier", "state"], name="grant_for_the_gate"),
            models.Index(fields=["state", "expires_at"], name="grant_ends"),
        ]

    def __str__(self) -> str:
        return f"{self.tier} for {self.user} until {self.expires_at:%Y-%m-%d}"

    @property
    def is_live(self) -> bool:
        return self.state == self.State.ACTIVE and self.expires_at > timezone.now()

    @property
    def is_suspended(self) -> bool:
        """True if the grant is suspended and its end has not passed."""
        return self.state == self.State.SUSPENDED and self.expires_at > timezone.now()

    def has_valid_licence(
        self, now: datetime, tier: "Tier", texts: Iterable["LicenceVersion"]
    ) -> bool:
        """True if the accepted text is in force for `tier`, or within notice of every later text.

        `texts` are those of the tier's licence that took effect by `now`.
        """
        ends = self.acceptance_ends(tier, texts)
        return ends is None or now < ends

    def acceptance_ends(self, tier: "Tier", texts: Iterable["LicenceVersion"]) -> datetime | None:
        """Return when the accepted text stops being valid; None if no text has replaced it."""
        since = tier.licence_since
        replacing = self._replacing(tier, list(texts))
        return min((text.notice_ends_since(since) for text in replacing), default=None)

    def _replacing(self, tier: "Tier", texts: list["LicenceVersion"]) -> list["LicenceVersion"]:
        """Return the `texts` that have replaced the accepted one.

        Under the same licence these are the later texts. If the tier has adopted another licence,
        these are the text then in force and the later ones; all if the time is unknown.
        """
        accepted = self.licence_version
        if accepted.licence_id == tier.licence_id:
            return [text for text in texts if text.effective_at > accepted.effective_at]
        since = tier.licence_since
        if since is None:
            return texts
        later = [text for text in texts if text.effective_at > since]
        earlier = [text for text in texts if text.effective_at <= since]
        return later + sorted(earlier, key=lambda text: text.effective_at)[-1:]

    def transition(self, allowed: GrantQuerySet, **changes: Any) -> None:
        """Apply `changes` if the row is in `allowed`; only one of two concurrent calls succeeds.

        No other code changes the state. Raises TransitionRefused.
        """
        if not allowed.filter(pk=self.pk).update(**changes):
            self.refresh_from_db(fields=["state", "expires_at"])
            raise TransitionRefused(
                f"this grant is {self.get_state_display().lower()}"
                + (", its end has passed" if self.expires_at <= timezone.now() else "")
            )
        for field, value in changes.items():
            setattr(self, field, value)
