"""Remarks, questions to colleagues and mails about an application between decisions."""

from django.utils import timezone

from accounts.applications import messages as applicant_mails
from accounts.applications.models import Application
from accounts.applications.workflow.audited import transition
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.errors import InvalidValue, NotAllowed, TransitionRefused
from accounts.mail import outbox
from accounts.mail.models import OutgoingMail
from accounts.review import messages as staff_mails
from accounts.review.models import Consultation, Decision, Remark
from accounts.users.models import User


@transition
def remark(
    application: Application, text: str, *, by: User, field: str = "", public: bool = False
) -> Remark:
    """Add a note for staff; a public one is mailed to the applicant."""
    _require_reviewer_of_open(application, by)
    made = add_remark(application, text, by=by, field=field, public=public)
    if public:
        applicant_mails.remark_made(application, made)
    return made


def add_remark(
    application: Application,
    text: str,
    *,
    by: User,
    field: str,
    public: bool,
    decision: Decision | None = None,
) -> Remark:
    """Store and audit a remark. Raises InvalidValue for an unknown field or an empty text."""
    if field and field not in application.form.labels():
        raise InvalidValue(f"the form has no field {field!r}")
    if not text.strip():
        raise InvalidValue("a remark needs a text")
    made = application.remarks.create(
        author=by,
        snapshot=application.latest_snapshot,
        field=field,
        text=text.strip(),
        is_public=public,
        decision=decision,
    )
    details = {"field": field, "public": public}
    AuditEvent.record(
        AccountsEvent.APPLICATION_REMARK, actor=by, target=application, details=details
    )
    return made


@transition
def ask(application: Application, colleague: User, question: str, *, by: User) -> Consultation:
    """Mail a question to another reviewer of the tier; the claim stays."""
    _require_reviewer_of_open(application, by)
    if colleague.pk == by.pk or not application.may_review(colleague):
        raise InvalidValue(f"{colleague} may not review {application.reference}; ask somebody else")
    if not question.strip():
        raise InvalidValue("write the question")
    consultation = application.consultations.create(
        asked_by=by, colleague=colleague, question=question.strip()
    )
    details = {"colleague": str(colleague.public_id)}
    AuditEvent.record(AccountsEvent.APPLICATION_ASK, actor=by, target=application, details=details)
    staff_mails.colleague_asked(consultation)
    return consultation


@transition
def answer_question(
    application: Application, consultation: Consultation, text: str, *, by: User
) -> None:
    """Answer a question once, as the colleague who was asked; its author is mailed."""
    _require_reviewer_of_open(application, by)
    if consultation.application_id != application.pk or consultation.colleague_id != by.pk:
        raise NotAllowed("that question was put to somebody else")
    if not text.strip():
        raise InvalidValue("write an answer")
    unanswered = application.consultations.filter(pk=consultation.pk, answered_at=None)
    if not unanswered.update(answer=text.strip(), answered_at=timezone.now()):
        raise TransitionRefused("you have already answered it")
    AuditEvent.record(AccountsEvent.APPLICATION_ANSWER, actor=by, target=application)
    staff_mails.colleague_answered(consultation)


@transition
def settle(application: Application, remark: Remark, *, by: User, done: bool = True) -> None:
    """Mark a remark as settled, or as open again."""
    _require_reviewer_of_open(application, by)
    changed = application.remarks.filter(pk=remark.pk, settled_at__isnull=done).update(
        settled_by=by if done else None, settled_at=timezone.now() if done else None
    )
    if changed:
        details = {"remark": remark.pk, "done": done}
        AuditEvent.record(
            AccountsEvent.APPLICATION_SETTLE, actor=by, target=application, details=details
        )


@transition
def send_mail_again(application: Application, mail: OutgoingMail, *, by: User) -> None:
    """Send an unchanged copy of a mail about the application that failed or was lost."""
    application.require_reviewer(by)
    if (mail.object_kind, mail.object_id) != ("application", str(application.public_id)):
        raise NotAllowed("that mail is about something else")
    outbox.resend(mail)
    details = {"kind": mail.kind}
    AuditEvent.record(
        AccountsEvent.APPLICATION_MAIL_AGAIN, actor=by, target=application, details=details
    )


def _require_reviewer_of_open(application: Application, by: User) -> None:
    """Refuse all but reviewers of an open application; record when the claimer last worked."""
    application.require_reviewer(by)
    application.require_open()
    if application.claimed_by_id == by.pk:
        Application.objects.filter(pk=application.pk).update(worked_at=timezone.now())
