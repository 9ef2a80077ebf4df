"""Add and remove documents of an application, and find those that a person may read."""

import hashlib
import re

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.applications.custom_questions import CustomQuestion, Kind
from accounts.applications.documents import pdf_check
from accounts.applications.documents.models import Attachment, AttachmentContent
from accounts.applications.models import Application
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.background.locks import lock_user
from accounts.errors import InvalidValue, LimitReached, NotFound, TransitionRefused
from accounts.rate_limits import buckets
from accounts.rate_limits.buckets import Limit
from accounts.users.models import User
from accounts.web.sanitize import file_name

MAX_BYTES = 10 * 2**20
MAX_DOCUMENTS = 2
_UPLOADS = Limit("document", 30, 3600)


def get_question(application: Application, key: str) -> CustomQuestion:
    """Return the form's question for documents with this key. Raises NotFound."""
    for question in application.form.custom_questions:
        if question.key == key and question.kind == Kind.FILE:
            return question
    raise NotFound("the form asks for no document there")


def attach(
    application: Application, question: str, name: str, content: bytes, *, by: User
) -> Attachment:
    """Store a PDF as an answer. Identical content sent twice is stored once.

    Raises NotFound for an unknown question, TransitionRefused unless the application is editable,
    InvalidValue unless `content` is a harmless PDF of 1 byte to 10 MiB, LimitReached beyond two
    documents or thirty uploads an hour.
    """
    application.require("submit", by)
    get_question(application, question)
    _require_editable(application)
    if not 0 < len(content) <= MAX_BYTES:
        raise InvalidValue("a document has 1 byte to 10 MiB; send a smaller one")
    verdict = buckets.take(_UPLOADS, str(by.pk))
    if not verdict.allowed:
        raise LimitReached("at most 30 documents an hour; try again later", wait=verdict.wait)
    pdf_check.require_harmless(content)
    return _store(application, question, clean_name(name), content, by)


@transaction.atomic
def _store(
    application: Application, question: str, name: str, content: bytes, by: User
) -> Attachment:
    locked = _lock(application.pk, by)
    digest = hashlib.sha256(content).hexdigest()
    current = locked.attachments.filter(removed_at=None)
    if same := current.filter(question=question, sha256=digest).first():
        return same
    if current.count() >= MAX_DOCUMENTS:
        raise LimitReached(f"an application takes {MAX_DOCUMENTS} documents; remove one first")
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
    """Remove a document from the answers.

    A document of an earlier submission stays readable for reviewers; any other is deleted.
    """
    application = _lock(attachment.application_id, by)
    application.require("submit", by)
    _record(AccountsEvent.APPLICATION_DOCUMENT_REMOVED, attachment, by)
    if _was_submitted(application, attachment):
        attachment.removed_at = timezone.now()
        attachment.save(update_fields=["removed_at"])
    else:
        attachment.delete()


def readable_by(user: User) -> "QuerySet[Attachment]":
    """Return the documents that `user` may read: their own, and as staff those of their tiers."""
    staff = Application.objects.readable_by(user).values("pk")
    own = Q(application__applicant=user, removed_at=None)
    return Attachment.objects.filter(own | Q(application__in=staff)).select_related("application")


def clean_name(name: str) -> str:
    """Return a safe file name such as `report.pdf`, of at most 120 characters."""
    stem = re.sub(r"\.pdf$", "", file_name(name), flags=re.IGNORECASE).strip(" .")[:116]
    return f"{stem or 'document'}.pdf"


def _was_submitted(application: Application, attachment: Attachment) -> bool:
    snapshots = application.snapshots.values_list("answers", flat=True)
    public_id = str(attachment.public_id)
    return any(
        document.get("id") == public_id
        for answers in snapshots
        for document in answers.get(attachment.question) or []
    )


def _lock(application_id: int, by: User) -> Application:
    """Lock the user, then the application, in the order of every transition. Returns the latter."""
    lock_user(by)
    application = Application.objects.select_for_update(no_key=True).get(pk=application_id)
    _require_editable(application)
    return application


def _require_editable(application: Application) -> None:
    if not application.is_editable:
        now = application.state_words
        raise TransitionRefused(f"{application.reference} is {now}; its documents cannot change")


def _record(action: AccountsEvent, attachment: Attachment, by: User) -> None:
    details = {"question": attachment.question, "bytes": attachment.size}
    AuditEvent.record(action, actor=by, target=attachment.application, details=details)
