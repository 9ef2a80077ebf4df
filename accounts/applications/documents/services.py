"""Documents that answer a question: taken in, taken out, and who may read them."""

import hashlib
import re

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.applications.custom_questions import Extra, Kind
from accounts.applications.documents import pdf_check
from accounts.applications.documents.models import Attachment, AttachmentContent
from accounts.applications.models import Application
from accounts.applications.state_machine import Status
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.background.locks import lock_user
from accounts.errors import InvalidValue, LimitReached, NotFound, TransitionRefused
from accounts.rate_limits import buckets
from accounts.rate_limits.buckets import Limit
from accounts.users.models import User
from accounts.web.sanitize import file_name

MOST_BYTES = 10 * 2**20
MOST_DOCUMENTS = 2
_UPLOADS = Limit("document", 30, 3600)


def question_of(application: Application, key: str) -> Extra:
    """The question for documents of this key; raises NotFound where the form has none."""
    for extra in application.form.extras:
        if extra.key == key and extra.kind == Kind.FILE:
            return extra
    raise NotFound("the form asks for no document there")


def attach(
    application: Application, question: str, name: str, content: bytes, *, by: User
) -> Attachment:
    """Keep a PDF as an answer. The same content sent twice is kept once.

    Raises NotFound, TransitionRefused, InvalidValue for what is no harmless PDF of 1 byte to
    10 MiB, and LimitReached beyond two documents or thirty uploads an hour.
    """
    application.require("submit", by)
    question_of(application, question)
    _demand_editable(application)
    if not 0 < len(content) <= MOST_BYTES:
        raise InvalidValue("a document has 1 byte to 10 MiB; send a smaller one")
    verdict = buckets.take(_UPLOADS, str(by.pk))
    if not verdict.allowed:
        raise LimitReached("at most 30 documents an hour; try again later", wait=verdict.wait)
    pdf_check.demand_harmless(content)
    return _keep(application, question, clean_name(name), content, by)


@transaction.atomic
def _keep(
    application: Application, question: str, name: str, content: bytes, by: User
) -> Attachment:
    locked = _locked(application.pk, by)
    digest = hashlib.sha256(content).hexdigest()
    kept = locked.attachments.filter(removed_at=None)
    if same := kept.filter(question=question, sha256=digest).first():
        return same
    if kept.count() >= MOST_DOCUMENTS:
        raise LimitReached(f"an application takes {MOST_DOCUMENTS} documents; remove one first")
    attachment = Attachment.objects.create(
        application=locked,
        question=question,
        name=name,
        size=len(content),
        sha256=digest,
        uploaded_by=by,
    )
    AttachmentContent.objects.create(attachment=attachment, data=content)
    _record(AccountsEvent.APPLICATION_DOCUMENT_ADDED, attachment, by)
    return attachment


@transaction.atomic
def remove(attachment: Attachment, *, by: User) -> None:
    """Take a document out of the answers.

    One that was never sent is erased; one that reviewers may have read stays for them.
    """
    application = _locked(attachment.application_id, by)
    application.require("submit", by)
    _record(AccountsEvent.APPLICATION_DOCUMENT_REMOVED, attachment, by)
    if _was_sent(application, attachment):
        attachment.removed_at = timezone.now()
        attachment.save(update_fields=["removed_at"])
    else:
        attachment.delete()


def readable_by(user: User) -> "QuerySet[Attachment]":
    """Documents this person may read: their own, and as staff those of their tiers."""
    staff = Application.objects.readable_by(user).values("pk")
    mine = Q(application__applicant=user, removed_at=None)
    return Attachment.objects.filter(mine | Q(application__in=staff)).select_related("application")


def clean_name(name: str) -> str:
    """A file name that no system reads as anything else: `report.pdf`, at most 120 characters."""
    stem = re.sub(r"\.pdf$", "", file_name(name), flags=re.IGNORECASE).strip(" .")[:116]
    return f"{stem or 'document'}.pdf"


def _was_sent(application: Application, attachment: Attachment) -> bool:
    sent = application.snapshots.values_list("answers", flat=True)
    name = str(attachment.public_id)
    return any(
        document.get("id") == name
        for answers in sent
        for document in answers.get(attachment.question) or []
    )


def _locked(application_id: int, by: User) -> Application:
    """The application, which nobody else changes until our transaction ends.

    First the person's turn, then the row: every move takes them in this order.
    """
    lock_user(by)
    application = Application.objects.select_for_update(no_key=True).get(pk=application_id)
    _demand_editable(application)
    return application


def _demand_editable(application: Application) -> None:
    if not application.is_editable:
        now = Status(application.status).label.lower()
        raise TransitionRefused(f"{application.reference} is {now}; its documents stay")


def _record(action: AccountsEvent, attachment: Attachment, by: User) -> None:
    details = {"question": attachment.question, "bytes": attachment.size}
    AuditEvent.record(action, actor=by, target=attachment.application, details=details)
