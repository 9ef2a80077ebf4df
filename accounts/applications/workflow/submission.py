"""Transitions by the applicant: start a draft, save answers, submit, withdraw, copy."""

from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.applications import messages
from accounts.applications.models import Application, ApplicationSnapshot
from accounts.applications.models.form import FormVersion
from accounts.applications.transition_table import EDITABLE_STATES, Status
from accounts.applications.workflow.audited import transition
from accounts.applications.workflow.eligibility import refuse_to_apply, seconds_until
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.background.locks import lock_user
from accounts.errors import AlreadyHeld, LicenceChanged, LimitReached, TransitionRefused
from accounts.review import working_days
from accounts.tiers.models import LicenceVersion, Tier
from accounts.users.models import User


@transaction.atomic
def start(applicant: User, tier: Tier, *, predecessor: Application | None = None) -> Application:
    """Return the applicant's draft for `tier`, creating it if necessary.

    A new draft copies the last submitted answers of `predecessor`, except the licence acceptance.
    Raises AlreadyHeld, NotAllowed or LimitReached; the message states the next step.
    """
    lock_user(applicant)
    refuse_to_apply(applicant, tier)
    drafts = Application.objects.filter(applicant=applicant, status=Status.DRAFT)
    if draft := drafts.filter(tier=tier).first():
        return draft
    if drafts.count() >= settings.OPEN_DRAFTS:
        raise LimitReached(f"you can have {settings.OPEN_DRAFTS} open drafts; finish one first")
    form = FormVersion.objects.current(tier)
    answers = form.mapped(_answers_to_copy(predecessor)) if predecessor else {}
    application = Application.objects.create(
        applicant=applicant, tier=tier, form=form, predecessor=predecessor, answers=answers
    )
    details = {"predecessor": predecessor.reference} if predecessor else {}
    AuditEvent.record(
        AccountsEvent.APPLICATION_START, actor=applicant, target=application, details=details
    )
    return application


@transaction.atomic
def save_answers(
    application: Application, answers: dict[str, Any], *, by: User, expected_version: int
) -> None:
    """Store the answers of a draft or returned application, even if invalid.

    Raises TransitionRefused in other states, and if `expected_version` is out of date.
    """
    application.require("submit", by)
    now = timezone.now()
    editable = Application.objects.filter(
        pk=application.pk, status__in=EDITABLE_STATES, answers_version=expected_version
    )
    if not editable.update(answers=answers, answers_version=expected_version + 1, saved_at=now):
        application.refresh_from_db()
        if application.is_editable:
            raise TransitionRefused(
                "this application was changed in another window; reload the page to see it"
            )
        raise TransitionRefused(f"{application.reference} is {application.state_words}")
    application.answers, application.saved_at = answers, now
    application.answers_version = expected_version + 1


@transaction.atomic
def answer_remarks(application: Application, answers: dict[int, str], *, by: User) -> None:
    """Store the applicant's answers to public remarks, keyed by the remark's primary key.

    Raises TransitionRefused once the application is closed.
    """
    application.require("submit", by)
    application.require_open()
    now = timezone.now()
    for remark in application.remarks.filter(pk__in=answers, is_public=True):
        text = answers[remark.pk].strip()
        if remark.answer != text:
            remark.answer, remark.answered_at = text, now if text else None
            remark.save(update_fields=["answer", "answered_at"])


@transaction.atomic
def adopt_questions(application: Application, *, by: User) -> None:
    """Give a draft the tier's current questions.

    All answers are preserved. An answer to a removed question is shown to the applicant but not
    submitted. Raises TransitionRefused unless the application is a draft.
    """
    application.require("submit", by)
    form = FormVersion.objects.current(application.tier)
    drafts = Application.objects.filter(pk=application.pk, status=Status.DRAFT)
    if not drafts.update(form=form, saved_at=timezone.now()):
        raise TransitionRefused(
            f"{application.reference} is not a draft; its questions can no longer change"
        )
    application.form = form
    details = {"form": form.number}
    AuditEvent.record(
        AccountsEvent.APPLICATION_ADOPT, actor=by, target=application, details=details
    )


@transition
def submit(application: Application, *, by: User, licence_sha256: str) -> ApplicationSnapshot:
    """Submit a draft or resubmit a returned application. Returns a snapshot of the answers.

    Raises LicenceChanged if `licence_sha256` is no longer in force, LimitReached above the daily
    limit, AlreadyHeld if another application for the tier was submitted concurrently, and
    TierRetired.
    """
    name = "resubmit" if application.status == Status.RETURNED else "submit"
    application.require(name, by)
    application.tier.require_active()
    lock_user(by)
    if name == "submit":
        refuse_to_apply(by, application.tier)
        _refuse_past_daily_limit(by)
    version = _text_in_force(application.tier, licence_sha256)
    now = timezone.now()
    try:
        with transaction.atomic():
            application.transition(
                name,
                by=by,
                submitted_at=application.submitted_at or now,
                returned_at=None,
                due_on=_due_on(application, working_days.utc_date(now)),
                days_left=None,
            )
    except IntegrityError as error:
        message = f"another application of yours for {application.tier} is open"
        raise AlreadyHeld(message) from error
    snapshot = application.snapshots.create(
        number=application.snapshots.count() + 1,
        answers=application.answers,
        licence_version=version,
    )
    details = {"version": version.version, "sha256": version.text_sha256}
    AuditEvent.record(AccountsEvent.LICENCE_ACCEPTED, actor=by, target=application, details=details)
    messages.application_received(application)
    return snapshot


@transaction.atomic
def delete_draft(application: Application, *, by: User) -> None:
    """Delete a draft, its answers and its documents. Drafts have no snapshots.

    Raises TransitionRefused for an application that was submitted.
    """
    application.require("submit", by)
    lock_user(by)
    drafts = Application.objects.select_for_update().filter(pk=application.pk, status=Status.DRAFT)
    draft = drafts.first()
    if draft is None:
        raise TransitionRefused(
            f"{application.reference} is not a draft any more; withdraw it instead"
        )
    details = {"reference": draft.reference, "documents": draft.attachments.count()}
    AuditEvent.record(AccountsEvent.APPLICATION_DELETE, actor=by, target=draft, details=details)
    draft.delete()


@transition
def withdraw(application: Application, *, by: User, reason: str = "") -> None:
    """Withdraw the application permanently."""
    application.require("withdraw", by)
    now = timezone.now()
    application.transition("withdraw", by=by, withdrawn_because=reason, decided_at=now, due_on=None)
    messages.application_withdrawn(application)


@transaction.atomic
def copy_as_new(application: Application, *, by: User) -> Application:
    """Start a new draft with the answers last submitted in this closed application.

    Raises NotAllowed unless `by` is the applicant, TransitionRefused while this application is
    open, and the exceptions of `start`.
    """
    application.require("copy", by)
    if not application.is_terminal:
        raise TransitionRefused(
            f"{application.reference} is still open; only a closed application can be copied"
        )
    return start(by, application.tier, predecessor=application)


def _answers_to_copy(application: Application) -> dict[str, object]:
    """Return the last submitted answers without the licence acceptance, which is not reusable."""
    snapshot = application.latest_snapshot
    answers = snapshot.answers if snapshot else application.answers
    return {key: answers[key] for key in answers if key not in {"licence_accept", "licence_sha256"}}


def _text_in_force(tier: Tier, licence_sha256: str) -> LicenceVersion:
    version = tier.licence_in_force()
    if version is None or version.text_sha256 != licence_sha256:
        raise LicenceChanged("the licence has changed since you read it; read the new text")
    return version


def _due_on(application: Application, today: date) -> date:
    """Return the review deadline; time during which the application is returned does not count."""
    left = settings.ANSWER_DAYS if application.days_left is None else application.days_left
    return working_days.add(today, left)


def _refuse_past_daily_limit(by: User) -> None:
    limit, since = settings.SUBMISSIONS_A_DAY, timezone.now() - timedelta(days=1)
    own = Application.objects.filter(applicant=by).filter(kind=Application.Kind.NEW)
    sent = own.filter(submitted_at__gte=since).order_by("-submitted_at")
    times: list[datetime] = [
        at for at in sent.values_list("submitted_at", flat=True)[:limit] if at is not None
    ]
    if len(times) == limit:
        message = f"you can submit {limit} applications a day; try again tomorrow"
        raise LimitReached(message, wait=seconds_until(times[-1], since))
