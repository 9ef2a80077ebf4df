"""Applications that continue another one: reopened by staff, or an appeal."""

from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.applications.models import Application
from accounts.applications.models.form import FormVersion
from accounts.applications.transition_table import Status
from accounts.review import working_days
from accounts.tiers.models import Tier
from accounts.users.models import User


def create(
    applicant: User,
    tier: Tier,
    before: Application | None,
    *,
    kind: Application.Kind,
    answer_days: int | None = None,
    **facts: Any,
) -> Application:
    """Create a submitted application with the last snapshot of its predecessor.

    A decision is due in `answer_days` working days, by default ANSWER_DAYS.
    """
    snapshot = before.latest_snapshot if before else None
    now = timezone.now()
    successor = Application.objects.create(
        applicant=applicant,
        tier=tier,
        kind=kind,
        predecessor=before,
        form=before.form if before else FormVersion.objects.current(tier),
        status=Status.SUBMITTED,
        answers=snapshot.answers if snapshot else {},
        submitted_at=now,
        due_on=working_days.add(working_days.utc_date(now), answer_days or settings.ANSWER_DAYS),
        **facts,
    )
    if snapshot is not None:
        successor.snapshots.create(
            number=1, answers=snapshot.answers, licence_version=snapshot.licence_version
        )
    return successor
