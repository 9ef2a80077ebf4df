"""Start an application, accept a licence, and look up a person's access to a tier."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.applications.models import Application
from accounts.applications.models.form import FormVersion
from accounts.applications.transition_table import Status
from accounts.applications.workflow import submission
from accounts.applications.workflow.eligibility import refuse_to_apply
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.background.locks import lock_user
from accounts.errors import AlreadyHeld, InvalidValue, LicenceChanged
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.grants.queries import live_grant
from accounts.review.working_days import end_of_day
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import LicenceVersion, Tier
from accounts.users.models import User


@dataclass(frozen=True)
class AccessStatus:
    """A person's access to one tier."""

    grant: Grant | None = None
    #: Whether a newer text than the accepted one is in force.
    outdated: bool = False
    application: Application | None = None


def access_status(user: User, tier: Tier) -> AccessStatus:
    """Return the live grant, or else the open application, or else the newest one."""
    if (grant := live_grant(user, tier)) is not None:
        in_force = tier.licence_in_force()
        outdated = in_force is not None and in_force.pk != grant.licence_version_id
        return AccessStatus(grant=grant, outdated=outdated)
    mine = Application.objects.filter(applicant=user, tier=tier).select_related("tier__licence")
    return AccessStatus(application=mine.open().first() or mine.order_by("-created_at").first())


def draft_of(user: User, tier: Tier) -> Application | None:
    """Return the application that the person may edit: a returned one, or else a draft."""
    mine = Application.objects.filter(applicant=user, tier=tier)
    returned = mine.filter(status=Status.RETURNED).first()
    return returned or mine.filter(status=Status.DRAFT).first()


@transaction.atomic
def begin(user: User, tier: Tier, *, country: str = "") -> Application:
    """Return the user's draft for `tier`; create one, with name and country, if there is none.

    Raises InvalidValue for a tier without applications, and what `submission.start` raises.
    """
    if tier.access_mode is not AccessMode.REVIEWED:
        raise InvalidValue(f"access to {tier} takes no application; see its checkpoints' pages")
    draft = submission.start(user, tier)
    initial = {"full_name": user.get_full_name(), "country": country}
    answers = {key: value for key, value in initial.items() if value}
    if answers and draft.answers_version == 0 and not draft.answers:
        submission.save_answers(draft, answers, by=user, expected_version=0)
    return draft


def may_adopt(application: Application) -> bool:
    """True if the tier's questions have changed and the draft is old enough to adopt them."""
    old = application.created_at <= timezone.now() - timedelta(days=settings.DRAFT_FORM_DAYS)
    if application.status != Status.DRAFT or not old:
        return False
    return bool(application.form.questions != FormVersion.objects.asked_by(application.tier))


@transaction.atomic
def accept_licence(user: User, tier: Tier, *, licence_sha256: str) -> Grant:
    """Accept the licence in force, for a click-through tier or under a live grant.

    Raises LicenceChanged if another text is in force, AlreadyHeld if it is already accepted,
    InvalidValue if the tier is open or its first access requires an application.
    """
    if not tier.is_gated:
        raise InvalidValue(f"the tier {tier} is open: there is nothing to accept")
    version = tier.licence_in_force()
    if version is None or version.text_sha256 != licence_sha256:
        raise LicenceChanged("the licence has changed since you read it; read the new text")
    lock_user(user)
    grant = live_grant(user, tier)
    if grant is not None:
        return _renew(grant, version, by=user)
    if tier.access_mode is not AccessMode.CLICK_THROUGH:
        raise InvalidValue(f"access to {tier} takes an application")
    refuse_to_apply(user, tier)
    grant = lifecycle.create(
        user,
        tier,
        licence_version=version,
        until=end_of_day(tier.term_days),
        origin=Grant.Origin.CLICK_THROUGH,
        by=user,
    )
    _record_acceptance(grant, version, by=user)
    return grant


def _renew(grant: Grant, version: LicenceVersion, *, by: User) -> Grant:
    if grant.licence_version_id == version.pk:
        raise AlreadyHeld("you have already accepted this text; see My access")
    grant.licence_version = version
    grant.save(update_fields=["licence_version"])
    _record_acceptance(grant, version, by=by)
    return grant


def _record_acceptance(grant: Grant, version: LicenceVersion, *, by: User) -> None:
    AuditEvent.record(
        AccountsEvent.LICENCE_ACCEPTED,
        actor=by,
        target=grant,
        details={"version": version.version, "sha256": version.text_sha256},
    )
