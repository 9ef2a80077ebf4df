"""The other applications of an applicant."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.review.models import Decision

if TYPE_CHECKING:
    from accounts.users.models import User


@dataclass(frozen=True)
class EarlierApplication:
    """Another application of the same person."""

    reference: str
    tier: str
    status: str
    reasons: list[str] = field(default_factory=list)


def earlier_applications(application: Application, reviewer: "User") -> list[EarlierApplication]:
    """Return the other applications that the reviewer may read: those of their tiers."""
    others = (
        Application.objects.readable_by(reviewer)
        .filter(applicant=application.applicant_id)
        .exclude(pk=application.pk)
        .exclude(status=Status.DRAFT)
        .select_related("tier")
        .order_by("-submitted_at", "-pk")
    )
    rows = Decision.objects.filter(
        application__applicant=application.applicant_id, verdict=Decision.Verdict.REJECT
    )
    reasons = dict(rows.values_list("application_id", "reasons"))
    return [
        EarlierApplication(one.reference, one.tier.name, one.status, reasons.get(one.pk, []))
        for one in others
    ]
