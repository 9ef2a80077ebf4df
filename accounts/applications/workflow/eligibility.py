"""Eligibility to apply for a tier, and the waiting periods after a refusal."""

import math
from datetime import datetime, timedelta

from django.utils import timezone

from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.errors import AlreadyHeld, LimitReached, NotAllowed
from accounts.grants.models import Grant
from accounts.review.models import Decision
from accounts.review.reasons import waiting_days
from accounts.tiers.models import Tier
from accounts.users.models import User


def refuse_to_apply(applicant: User, tier: Tier) -> None:
    """Raise an error if the applicant may not apply for this tier now.

    Raises NotAllowed, AlreadyHeld, TierRetired or LimitReached; the message states the next step.
    """
    refuse_to_request(applicant, tier)
    until = may_apply_from(applicant, tier)
    now = timezone.now()
    if until is not None and until > now:
        raise LimitReached(
            f"you may apply for {tier} again from {until:%d %B %Y %H:%M} UTC",
            wait=seconds_until(until, now),
        )


def refuse_to_request(applicant: User, tier: Tier) -> None:
    """Raise NotAllowed, AlreadyHeld or TierRetired for a person who cannot request access."""
    if applicant.suspended_at is not None or not applicant.is_active:
        raise NotAllowed("your account is suspended; contact the portal's staff")
    if not applicant.has_confirmed_address:
        raise NotAllowed("confirm your e-mail address first; see your account page")
    if Grant.objects.unended().filter(user=applicant, tier=tier).live().exists():
        raise AlreadyHeld(f"you already have access to {tier}; see My access")
    suspended = Grant.objects.filter(user=applicant, tier=tier, state=Grant.State.SUSPENDED)
    if suspended.filter(expires_at__gt=timezone.now()).exists():
        raise NotAllowed(f"your access to {tier} is on hold; see My access")
    if open_one := Application.objects.open().filter(applicant=applicant, tier=tier).first():
        raise AlreadyHeld(f"your application {open_one.reference} for {tier} is already open")
    tier.require_active()


def may_apply_from(applicant: User, tier: Tier) -> datetime | None:
    """Return the time from which a new application is accepted; None for no waiting period.

    This is the end of the longest waiting period after a rejection or revocation for this tier.
    A rejection that an appeal overturned has none.
    """
    overturned = Application.objects.filter(
        kind=Application.Kind.APPEAL, status=Status.APPROVED, applicant=applicant
    )
    decisions = Decision.objects.filter(
        application__applicant=applicant,
        application__tier=tier,
        application__status=Status.REJECTED,
    ).exclude(application__in=overturned.values("predecessor"))
    waits = [
        one.created_at + timedelta(days=one.days_to_wait)
        for one in decisions.filter(verdict=Decision.Verdict.REJECT)
        if one.days_to_wait
    ]
    revoked = Grant.objects.filter(user=applicant, tier=tier, state=Grant.State.REVOKED)
    for grant in revoked.exclude(end_code=""):
        if grant.ended_at is not None and waiting_days([grant.end_code]):
            waits.append(grant.ended_at + timedelta(days=waiting_days([grant.end_code])))
    return max(waits, default=None)


def days_to_wait(application: Application, codes: list[str]) -> int:
    """Return the days to wait after a rejection for these reasons.

    This is the longest wait of the reasons and the tier. A rejected appeal adds none: the days
    count from the rejection that it appealed.
    """
    if application.is_appeal:
        return 0
    return max(waiting_days(codes), application.tier.reapply_days)


def seconds_until(moment: datetime, now: datetime) -> int:
    return math.ceil((moment - now).total_seconds())
