"""Rules of applying that span records: where a person stands, and accepting a text alone."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.access import live_grant
from accounts.errors import AlreadyHeld, InvalidValue, LicenceChanged
from accounts.forms import ApplicationForm
from accounts.models import Application, AuditEvent, Grant, LicenceVersion, Tier, User
from accounts.models.application.eligibility import refuse_to_apply
from accounts.moves import Status
from accounts.tiers import AccessMode


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
    return Application.objects.filter(
        applicant=user, tier=tier, status__in=[Status.DRAFT, Status.RETURNED]
    ).first()


def begin(user: User, tier: Tier) -> Application:
    """The person's draft for `tier`, made if there is none.

    Raises InvalidValue for a tier that takes no application, and what
    Application.objects.start raises.
    """
    if tier.access_mode is not AccessMode.REVIEWED:
        raise InvalidValue(f"access to {tier} takes no application; see its checkpoints' pages")
    return Application.objects.start(user, tier)


@transaction.atomic
def submit_form(
    application: Application, form: ApplicationForm, *, by: User, seen_version: int
) -> None:
    """Keep what a valid form holds and submit it, both or neither.

    Raises what Application.save_answers and Application.submit raise.
    """
    application.save_answers(form.typed(), by=by, seen_version=seen_version)
    application.submit(by=by, licence_sha256=form.data["licence_sha256"])


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
    User.objects.select_for_update().get(pk=user.pk)  # a double click accepts once
    grant = live_grant(user, tier)
    if grant is not None:
        return _renew(grant, version, by=user)
    if tier.access_mode is not AccessMode.CLICK_THROUGH:
        raise InvalidValue(f"access to {tier} takes an application")
    refuse_to_apply(user, tier)
    return Grant.objects.give(
        user,
        tier,
        licence_version=version,
        until=timezone.now() + timedelta(days=tier.term_days),
        origin=Grant.Origin.CLICK_THROUGH,
        by=user,
    )


def _renew(grant: Grant, version: LicenceVersion, *, by: User) -> Grant:
    if grant.licence_version_id == version.pk:
        raise AlreadyHeld("you have accepted this text already; see My access")
    grant.licence_version = version
    grant.save(update_fields=["licence_version"])
    AuditEvent.record(
        "licence.accepted",
        actor=by,
        target=grant,
        details={"version": version.version, "sha256": version.text_sha256},
    )
    return grant
