"""Mails to the applicant about an application."""

from datetime import datetime, timedelta
from textwrap import indent

from django.conf import settings
from django.utils import timezone

from accounts.applications.models import Application
from accounts.applications.workflow.eligibility import days_to_wait, may_apply_from
from accounts.grants.models import Grant
from accounts.mail import outbox
from accounts.mail.outbox import Message
from accounts.release_interface import releases
from accounts.review.models import Decision, ReasonText, Remark
from accounts.review.reasons import is_appealable

#: The number of checkpoints that an approval names; it counts the others.
NAMED = 10


def application_received(application: Application) -> None:
    number = application.snapshots.count()
    context = {"is_again": number > 1, "answer_days": settings.ANSWER_DAYS}
    _send(application, "application_received", f"{application.pk}:{number}", **context)


def application_withdrawn(application: Application) -> None:
    _send(application, "application_withdrawn", str(application.pk))


def application_lapsed(application: Application, *, was_draft: bool) -> None:
    _send(application, "application_lapsed", str(application.pk), was_draft=was_draft)


def application_reopened(application: Application, ended: Grant | None) -> None:
    """Notify the applicant of the reopening; `ended` is the grant that it revoked."""
    _send(application, "application_reopened", str(application.pk), grant=ended)


def appeal_received(appeal: Application) -> None:
    _send(appeal, "appeal_received", str(appeal.pk))


def return_reminder(application: Application, day: int) -> bool:
    """Remind the applicant, on this day of inactivity, of the changes that staff requested.

    Returns whether the mail is new.
    """
    ends = application.last_heard_at + timedelta(days=settings.RETURN_SILENCE_DAYS)
    key = f"{application.pk}:{application.last_heard_at.isoformat()}:{day}"
    return _send(application, "return_reminder", key, ends=ends)


def draft_warning(draft: Application, ends: datetime) -> bool:
    """Warn the applicant that the draft will be erased at `ends`. Returns whether it is new."""
    return _send(draft, "draft_warning", _draft_key(draft), ends=ends)


def draft_warned_at(draft: Application) -> datetime | None:
    """Return when the applicant was warned since the last save of the draft; None if never."""
    return outbox.enqueued_at("draft_warning", _draft_key(draft))


def remark_made(application: Application, remark: Remark) -> None:
    """Send a reviewer's remark outside a decision."""
    label = application.form.labels().get(remark.field, "")
    _send(application, "remark_made", str(remark.pk), remark=remark, label=label)


# The mail of a decision is composed separately, so that the preview shows what is sent.


def compose_approved(application: Application, *, until: datetime, note: str) -> Message:
    names = releases().checkpoints_of(application.tier)
    return _compose(
        application,
        "application_approved",
        until=until,
        note=note,
        checkpoints=names[:NAMED],
        more=len(names[NAMED:]),
    )


def compose_rejected(application: Application, *, reasons: list[str], note: str) -> Message:
    if application.is_appeal:
        again = may_apply_from(application.applicant, application.tier)
        is_future = again is not None and again > timezone.now()
        context = {**_reasons(reasons), "again": again if is_future else None}
        return _compose(application, "appeal_rejected", note=note, **context)
    days = days_to_wait(application, reasons)
    context = {**_reasons(reasons), **_waits(days), "appeal_until": _appeal_until(reasons)}
    return _compose(application, "application_rejected", note=note, **context)


def compose_returned(
    application: Application, *, reasons: list[str], remarks: dict[str, str], note: str
) -> Message:
    """`remarks` maps the key of a question to a text; empty texts are left out."""
    labels = application.form.labels()
    labelled = [
        (labels.get(field, ""), indent(text.strip(), "  "))
        for field, text in remarks.items()
        if text.strip()
    ]
    return _compose(
        application,
        "application_returned",
        remarks=labelled,
        note=note,
        ends=timezone.now() + timedelta(days=settings.RETURN_SILENCE_DAYS),
        **_reasons(reasons),
    )


def application_approved(application: Application, decision: Decision) -> None:
    if decision.until is None:
        raise ValueError(f"the approval of {application.reference} names no end")
    message = compose_approved(application, until=decision.until, note=decision.note)
    outbox.enqueue(message, key=str(application.pk), about=application)


def application_rejected(application: Application, decision: Decision) -> None:
    message = compose_rejected(application, reasons=decision.reasons, note=decision.note)
    outbox.enqueue(message, key=f"{application.pk}:{decision.pk}", about=application)


def application_returned(
    application: Application, decision: Decision, remarks: dict[str, str]
) -> None:
    message = compose_returned(
        application, reasons=decision.reasons, remarks=remarks, note=decision.note
    )
    outbox.enqueue(message, key=f"{application.pk}:{decision.pk}", about=application)


def _draft_key(draft: Application) -> str:
    return f"{draft.pk}:{draft.saved_at.isoformat()}"


def _reasons(codes: list[str]) -> dict[str, object]:
    texts = ReasonText.objects.current()
    return {"reasons": [texts[code] for code in codes]}


def _waits(days: int) -> dict[str, object]:
    return {"waiting_days": days, "again": timezone.now() + timedelta(days=days)}


def _appeal_until(codes: list[str]) -> datetime | None:
    """Return the deadline to appeal a rejection made now for these reasons; None if none."""
    if not is_appealable(codes):
        return None
    return timezone.now() + timedelta(days=settings.APPEAL_WITHIN_DAYS)


def _send(application: Application, kind: str, key: str, **context: object) -> bool:
    """Queue a mail once for each key. Returns whether it is new."""
    message = _compose(application, kind, **context)
    return outbox.enqueue(message, key=key, about=application) is not None


def _compose(application: Application, kind: str, **context: object) -> Message:
    """Compose a mail to the application's address if confirmed, otherwise to the account's."""
    applicant, answers = application.applicant, application.submitted_answers
    called = answers.get("full_name") or applicant.display_name
    context = {"application": application, "tier": application.tier, "called": called, **context}
    to = str(answers.get("work_email", ""))
    return outbox.compose(kind, to=to, recipient=applicant, context=context)
