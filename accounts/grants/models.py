"""The live right of one person to one tier."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from accounts.audit.models.event import AuditEvent
from accounts.errors import AlreadyHeld, InvalidValue, NotAllowed, TransitionRefused
from accounts.grants import outstanding_links
from accounts.grants.outstanding_links import Receipt
from accounts.mail import messages
from accounts.review.reasons import RULES
from accounts.roles.active_staff import acts_as_staff
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import APPLICATION_READERS, GRANT_KEEPERS

if TYPE_CHECKING:
    from accounts.tiers.models import LicenceVersion, Tier
    from accounts.users.models import User


class GrantQuerySet(models.QuerySet["Grant"]):
    def live(self, now: datetime | None = None) -> "GrantQuerySet":
        """Grants that open their tier now."""
        return self.filter(state=Grant.State.ACTIVE, expires_at__gt=now or timezone.now())

    def unended(self) -> "GrantQuerySet":
        return self.filter(state__in=[Grant.State.ACTIVE, Grant.State.SUSPENDED])

    def readable_by(self, user: "User") -> "GrantQuerySet":
        """Grants this person may read as staff: those of the tiers of their roles."""
        if not acts_as_staff(user):
            return self.none()
        roles = RoleAssignment.objects.held(user, APPLICATION_READERS)
        held = list(roles.values_list("tier_id", flat=True))
        return self.all() if None in held else self.filter(tier__in=held)

    def due_to_expire(self, now: datetime) -> "GrantQuerySet":
        """Grants whose end has passed and that are not marked as expired."""
        return self.unended().filter(expires_at__lte=now).select_related("user", "tier")

    def due_to_resume(self, now: datetime) -> "GrantQuerySet":
        """Grants whose suspension has a set end that has passed."""
        held = self.filter(state=Grant.State.SUSPENDED, expires_at__gt=now)
        return held.filter(suspended_until__lte=now).select_related("user", "tier")

    def expire_due(self, now: datetime | None = None) -> int:
        """Mark grants whose end has passed, and tell their holders; the gate does not wait."""
        now = now or timezone.now()
        return sum(grant.expire(now) for grant in self.due_to_expire(now))

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
    suspended_at = models.DateTimeField(null=True, blank=True)
    #: When a suspension ends by itself; None until somebody resumes or revokes.
    suspended_until = models.DateTimeField(null=True, blank=True)
    suspension_reason = models.CharField(max_length=500, blank=True)
    #: Days before its end of the last reminder that was sent.
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
    def is_held(self) -> bool:
        """Suspended, and not past its end."""
        return self.state == self.State.SUSPENDED and self.expires_at > timezone.now()

    def licence_holds(self, now: datetime, tier: "Tier", texts: Iterable["LicenceVersion"]) -> bool:
        """Whether the text accepted for `tier` is in force, or the notice of every later one runs.

        `texts` are those of the tier's licence that have come into force by `now`.
        """
        ends = self.acceptance_ends(tier, texts)
        return ends is None or now < ends

    def acceptance_ends(self, tier: "Tier", texts: Iterable["LicenceVersion"]) -> datetime | None:
        """From when the accepted text no longer counts; None while no other has replaced it."""
        since = tier.licence_since
        replacing = self._replacing(tier, list(texts))
        return min((text.notice_ends_since(since) for text in replacing), default=None)

    def _replacing(self, tier: "Tier", texts: list["LicenceVersion"]) -> list["LicenceVersion"]:
        """Which of `texts` have to be accepted in place of the accepted one.

        Of the tier's licence those that came later. Of another licence that the tier was put
        under: the one that was in force then, and those since; all where nobody knows when.
        """
        accepted = self.licence_version
        if accepted.licence_id == tier.licence_id:
            return [text for text in texts if text.effective_at > accepted.effective_at]
        since = tier.licence_since
        if since is None:
            return texts
        came = [text for text in texts if text.effective_at > since]
        stood = [text for text in texts if text.effective_at <= since]
        return came + sorted(stood, key=lambda text: text.effective_at)[-1:]

    # -- moves: each guarded, audited and told -------------------------------------------

    @transaction.atomic
    def suspend(
        self, *, by: "User | None", reason: str, until: datetime | None = None, code: str = ""
    ) -> Receipt:
        """Close the tier for now; `until` resumes it by itself, else somebody does.

        `reason` is a text for the holder. Raises NotAllowed unless `by` keeps grants of the
        tier, TransitionRefused when it is not active, InvalidValue for an `until` that has
        passed and a code that suspends none.
        """
        now = timezone.now()
        self._demand_keeper(by)
        _demand_code("suspend", code, reason)
        if until is not None and until <= now:
            raise InvalidValue("a suspension ends in the future, or when somebody resumes it")
        changes = {
            "state": self.State.SUSPENDED,
            "suspended_at": now,
            "suspended_until": until,
            "suspension_reason": reason,
        }
        self._move(Grant.objects.live(now), changes)
        receipt = outstanding_links.of(self, now)
        until_said = until.isoformat() if until else None
        details = {"reason": reason, "code": code, "until": until_said, **receipt.counts}
        event = self._note("grant.suspended", by, details)
        messages.access_suspended(self, event, receipt)
        return receipt

    @transaction.atomic
    def resume(self, *, by: "User | None") -> None:
        """End a suspension; the grant keeps its end.

        Raises NotAllowed, to its holder too, and TransitionRefused.
        """
        self._demand_keeper(by)
        if by is not None and by.pk == self.user_id:
            raise NotAllowed("nobody resumes their own access; ask another lead reviewer")
        self._resume(Grant.objects.all(), by)

    @transaction.atomic
    def resume_by_itself(self, now: datetime) -> bool:
        """End a suspension whose end has passed; whether it still had to."""
        try:
            self._resume(Grant.objects.filter(suspended_until__lte=now), None)
        except TransitionRefused:
            return False
        return True

    @transaction.atomic
    def revoke(
        self, *, by: "User | None", reason: str, code: str = "", told: bool = False
    ) -> Receipt:
        """End this grant for good; the next look of the gate refuses.

        `code` is one of the reason catalogue, `reason` a text for the holder; `told` says that
        another mail tells them. Raises NotAllowed unless `by` keeps grants of the tier,
        TransitionRefused when it has ended already, InvalidValue for a code that ends none.
        """
        now = timezone.now()
        self._demand_keeper(by)
        _demand_code("revoke", code, reason)
        changes = {
            "state": self.State.REVOKED,
            "ended_at": now,
            "end_reason": reason,
            "end_code": code,
        }
        self._move(Grant.objects.unended(), changes)
        receipt = outstanding_links.of(self, now)
        event = self._note("grant.revoked", by, {"reason": reason, "code": code, **receipt.counts})
        if not told:
            messages.access_revoked(self, event, receipt)
        return receipt

    @transaction.atomic
    def surrender(self, *, by: "User") -> Receipt:
        """Give it back: its holder's own move, while nothing suspends it.

        Raises NotAllowed to others, TransitionRefused when it is not active.
        """
        now = timezone.now()
        if by.pk != self.user_id:
            raise NotAllowed("only its holder gives a grant back")
        changes = {"state": self.State.SURRENDERED, "ended_at": now}
        self._move(Grant.objects.live(now), changes)
        receipt = outstanding_links.of(self, now)
        event = self._note("grant.surrendered", by, receipt.counts)
        messages.access_surrendered(self, event, receipt)
        return receipt

    @transaction.atomic
    def expire(self, now: datetime) -> bool:
        """Mark it ended where its end has passed, and say so; whether it still had to."""
        due = Grant.objects.unended().filter(expires_at__lte=now)
        try:
            self._move(due, {"state": self.State.EXPIRED, "ended_at": self.expires_at})
        except TransitionRefused:
            return False
        AuditEvent.record("grant.expired", target=self)
        messages.access_ended(self)
        return True

    @transaction.atomic
    def remind(self, days: int) -> bool:
        """Say that it ends within so many days, unless that was said; whether it had to."""
        unsaid = models.Q(reminded_days=None) | models.Q(reminded_days__gt=days)
        live = Grant.objects.live().filter(unsaid, pk=self.pk)
        if not live.update(reminded_days=days):
            return False
        self.reminded_days = days
        messages.access_ending(self, days)
        return True

    # -- how a move is made -----------------------------------------------------------------

    def _move(self, movable: GrantQuerySet, changes: dict[str, Any]) -> None:
        """Change the row if it is still movable; the guard lets one of two hurried moves win."""
        if not movable.filter(pk=self.pk).update(**changes):
            self.refresh_from_db(fields=["state", "expires_at"])
            raise TransitionRefused(
                f"this grant is {self.get_state_display().lower()}"
                + (", its end has passed" if self.expires_at <= timezone.now() else "")
            )
        for field, value in changes.items():
            setattr(self, field, value)

    def _resume(self, movable: GrantQuerySet, by: "User | None") -> None:
        held = movable.filter(state=self.State.SUSPENDED, expires_at__gt=timezone.now())
        changes = {
            "state": self.State.ACTIVE,
            "suspended_at": None,
            "suspended_until": None,
            "suspension_reason": "",
        }
        self._move(held, changes)
        messages.access_resumed(self, self._note("grant.resumed", by, {}))

    def _note(self, action: str, by: "User | None", details: dict[str, Any]) -> AuditEvent:
        details = {"tier": self.tier.slug, "holder": str(self.user.public_id), **details}
        return AuditEvent.record(action, actor=by, target=self, details=details)

    def _demand_keeper(self, by: "User | None") -> None:
        """A person ends access of the tiers they keep; a command and a sweep act for nobody."""
        if by is not None and not RoleAssignment.objects.covers(by, GRANT_KEEPERS, self.tier):
            raise NotAllowed(f"you are no lead reviewer of {self.tier}")


def _demand_code(action: str, code: str, reason: str) -> None:
    if code and (code not in RULES or action not in RULES[code].actions):
        raise InvalidValue(f"the reason {code!r} does not go with {action}")
    if not reason.strip():
        raise InvalidValue("give a reason; the holder reads it")
