"""The facts about an application, read in a fixed number of queries."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from django.apps import apps
from django.db.models import Q
from django.utils import timezone

from accounts.applications.models import Application
from accounts.grants.models import Grant
from accounts.release_interface import CheckpointSize
from accounts.review.evidence.earlier_applications import EarlierApplication, earlier_applications
from accounts.review.evidence.hardware import sizes_of
from accounts.review.models import Conflict, ProfileLook
from accounts.review.reasons import Reason
from accounts.tiers import precheck
from accounts.tiers.models import LicenceVersion
from accounts.tiers.precheck import Finding
from accounts.users import orcid

if TYPE_CHECKING:
    from accounts.users.models import User

#: Reasons for ended access that count against an applicant.
BREACHES = frozenset({Reason.LEAK, Reason.PRIOR_BREACH, Reason.PROHIBITED_USE})
ON_HOLD = "on hold"


@dataclass(frozen=True)
class Facts:
    """The input of `assess`."""

    answers: dict[str, Any]
    verified: list[str]
    can_link_orcid: bool
    orcid: str
    profile: ProfileLook | None
    joined: datetime
    earlier: list[EarlierApplication]
    #: The reason codes of breaches, and ON_HOLD for suspended access.
    breaches: list[str]
    is_suspended: bool
    blocked_countries: frozenset[str]
    accepted: LicenceVersion | None
    in_force: LicenceVersion | None
    reviewer_addresses: list[str]
    conflict: str | None
    #: The results of the precheck of the answers against the terms of use.
    findings: list[Finding]
    sizes: list[CheckpointSize]
    now: datetime


def gather(application: Application, reviewer: "User") -> Facts:
    """Read all facts; the number of queries does not depend on the number of rows."""
    snapshot = application.snapshots.select_related("licence_version", "profile_look").last()
    applicant = application.applicant
    addresses = _verified([applicant.pk, reviewer.pk])
    can_link = apps.is_installed("accounts.users.orcid_sign_in")
    blocked: Any = application.tier.blocked_countries
    return Facts(
        answers=snapshot.answers if snapshot else {},
        verified=addresses.get(applicant.pk, []),
        can_link_orcid=can_link,
        orcid=orcid.linked_id(applicant) if can_link else "",
        profile=getattr(snapshot, "profile_look", None),
        joined=applicant.date_joined,
        earlier=earlier_applications(application, reviewer),
        breaches=_breaches(applicant),
        is_suspended=applicant.suspended_at is not None,
        blocked_countries=frozenset(str(one.code) for one in blocked),
        accepted=snapshot.licence_version if snapshot else None,
        in_force=application.tier.licence_in_force(),
        reviewer_addresses=addresses.get(reviewer.pk, []),
        conflict=_conflict(application, reviewer),
        findings=precheck.precheck(application.tier, snapshot.answers if snapshot else {}),
        sizes=sizes_of(application.tier),
        now=timezone.now(),
    )


def _verified(people: list[int]) -> dict[int, list[str]]:
    addresses: dict[int, list[str]] = {}
    rows = EmailAddress.objects.filter(user_id__in=people, verified=True).order_by("-primary", "pk")
    for person, address in rows.values_list("user_id", "email"):
        addresses.setdefault(person, []).append(address)
    return addresses


def _breaches(applicant: "User") -> list[str]:
    breach = Q(end_code__in=BREACHES) | Q(state=Grant.State.SUSPENDED)
    grants = Grant.objects.filter(breach, user=applicant).order_by("pk")
    return [code or ON_HOLD for code in grants.values_list("end_code", flat=True)]


def _conflict(application: Application, reviewer: "User") -> str | None:
    """Return the reason for the reviewer's conflict; None without one."""
    rows = Conflict.objects.filter(application=application, reviewer=reviewer)
    return rows.values_list("reason", flat=True).first()
