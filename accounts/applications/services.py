"""Rules of applying that span records: where a person stands, and accepting a text alone."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.applications.models import Application
from accounts.applications.models.form import FormVersion
from accounts.applications.state_machine import Status
from accounts.applications.workflow import submission
from accounts.applications.workflow.eligibility import refuse_to_apply
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
class Standing:
    """Where a person stands with one tier."""

    grant: Grant | None = None
    #: The accepted text has been replaced, and the new one is not accepted yet.
    outdated: bool = False
    application: Application | None = None


def standing(user: User, tier: Tier) -> Standing:
    """The live grant, else the newest application that still matters: open, draft or decided."""
    if (grant := live_grant(user, tier)) is not None:
        in_force = tier.licence.in_force()
        outdated = in_force is not None and in_force.pk != grant.licence_version_id
        return Standing(grant=grant, outdated=outdated)
    mine = Application.objects.filter(applicant=user, tier=tier).select_related("tier__licence")
    return Standing(application=mine.open().first() or mine.order_by("-created_at").first())


def draft_of(user: User, tier: Tier) -> Application | None:
    """What the person may fill in for this tier: a returned application before a draft."""
    mine = Application.objects.filter(applicant=user, tier=tier)
    returned = mine.filter(status=Status.RETURNED).first()
    return returned or mine.filter(status=Status.DRAFT).first()


@transaction.atomic
def begin(user: User, tier: Tier, *, country: str = "") -> Application:
    """The person's draft for `tier`, made if there is none.

    A new one holds what is known of them already. Raises InvalidValue for a tier that takes
    no application, and what Application.objects.start raises.
    """
    if tier.access_mode is not AccessMode.REVIEWED:
        raise InvalidValue(f"access to {tier} takes no application; see its checkpoints' pages")
    draft = submission.start(user, tier)
    known = {"full_name": user.get_full_name(), "country": country}
    given = {key: value for key, value in known.items() if value}
    if given and draft.answers_version == 0 and not draft.answers:
        submission.save_answers(draft, given, by=user, seen_version=0)
    return draft


def may_adopt(application: Application) -> bool:
    """Whether a draft has kept its questions long enough, and its tier asks others by now."""
    old = application.created_at <= timezone.now() - timedelta(days=settings.DRAFT_FORM_DAYS)
    if application.status != Status.DRAFT or not old:
        return False
    return bool(application.form.questions != FormVersion.objects.asked_by(application.tier))


@transaction.atomic
def accept_licence(user: User, tier: Tier, *, licence_sha256: str) -> Grant:
    """Accept the text in force where nothing else is asked: click-through, or a new version.

    Raises LicenceChanged when another text is in force, AlreadyHeld when it is accepted
    already, InvalidValue for a tier whose first access takes an application.
    """
    if not tier.is_gated:
        raise InvalidValue(f"the tier {tier} is open: there is nothing to accept")
    version = tier.licence.in_force()
    if version is None or version.text_sha256 != licence_sha256:
        raise LicenceChanged("the licence has changed since you read it; read the new text")
    lock_user(user)
    grant = live_grant(user, tier)
    if grant is not None:
        return _renew(grant, version, by=user)
    if tier.access_mode is not AccessMode.CLICK_THROUGH:
        raise InvalidValue(f"access to {tier} takes an application")
    refuse_to_apply(user, tier)
    given = lifecycle.give(
        user,
        tier,
        licence_version=version,
        until=end_of_day(tier.term_days),
        origin=Grant.Origin.CLICK_THROUGH,
        by=user,
    )
    _note_acceptance(given, version, by=user)
    return given


def _renew(grant: Grant, version: LicenceVersion, *, by: User) -> Grant:
    if grant.licence_version_id == version.pk:
        raise AlreadyHeld("you have accepted this text already; see My access")
    grant.licence_version = version
    grant.save(update_fields=["licence_version"])
    _note_acceptance(grant, version, by=by)
    return grant


def _note_acceptance(grant: Grant, version: LicenceVersion, *, by: User) -> None:
    AuditEvent.record(
        "licence.accepted",
        actor=by,
        target=grant,
        details={"version": version.version, "sha256": version.text_sha256},
    )
