"""Upload, download and remove documents of an application."""

from contextlib import suppress

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.applications.documents import services
from accounts.applications.documents.models import Attachment
from accounts.applications.drafts import ApplicationDraft
from accounts.applications.models import Application
from accounts.applications.views.common import get_own_application, sentence, step_url
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.errors import AccountsError, NotFound
from accounts.web.current_user import signed_in
from accounts.web.uploads import FRAME, SingleFileHandler


@csrf_exempt  # `_add` checks the token, after the upload handler for larger bodies is set
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def document_add(request: HttpRequest, public_id: str, question: str) -> HttpResponse:
    application = get_own_application(request, public_id)
    try:
        services.get_question(application, question)
    except NotFound as error:
        raise Http404(str(error)) from error
    if request.method != "POST":
        if not application.is_editable:
            return redirect("accounts:application-detail", application.public_id)
        return _show(request, application, question)
    if int(request.META.get("CONTENT_LENGTH") or 0) > services.MAX_BYTES + FRAME:
        _discard_body(request)
        return _show(request, application, question, error=_TOO_LARGE, status=413)
    request.upload_handlers = [SingleFileHandler(services.MAX_BYTES)]
    return _add(request, application, question)


_TOO_LARGE = "This file is larger than 10 MiB; send a smaller one."
#: The number of bytes to read and discard from a body that is too large.
_MAX_DISCARDED = 64 * 1024 * 1024
_CHUNK = 64 * 1024


def _discard_body(request: HttpRequest) -> None:
    """Read the body up to a limit: many browsers read no response before they have sent it all."""
    left = _MAX_DISCARDED
    with suppress(UnreadablePostError):
        while left > 0 and (chunk := request.read(_CHUNK)):
            left -= len(chunk)


@csrf_protect
def _add(request: HttpRequest, application: Application, question: str) -> HttpResponse:
    upload = request.FILES.get("document")
    if upload is None:
        return _show(request, application, question, error="Choose a PDF first.", status=422)
    try:
        services.attach(
            application, question, upload.name or "", upload.read(), by=signed_in(request)
        )
    except AccountsError as error:
        return _show(request, application, question, error=sentence(error), status=422)
    messages.success(request, "The document is stored with your application.")
    return redirect(request.path)


def _show(
    request: HttpRequest,
    application: Application,
    question: str,
    *,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    draft = ApplicationDraft(application, signed_in(request))
    documents = [one for attachments in draft.documents.values() for one in attachments]
    context = {
        "application": application,
        "tier": application.tier,
        "question": services.get_question(application, question),
        "documents": documents,
        "room": len(documents) < services.MAX_DOCUMENTS,
        "error": error,
        "back": step_url(application, draft.step_of(question)),
    }
    return render(request, "accounts/applications/document_add.html", context, status=status)


@login_required
@require_safe
def document(request: HttpRequest, public_id: str) -> HttpResponse:
    """Download a document; 404 unless the user is its owner or staff of the tier."""
    person = signed_in(request)
    attachment = get_object_or_404(services.readable_by(person), public_id=public_id)
    if attachment.application.applicant_id != person.pk:
        details = {"document": str(attachment.public_id)}
        AuditEvent.record(
            AccountsEvent.APPLICATION_DOCUMENT_READ,
            actor=person,
            target=attachment.application,
            details=details,
        )
    return as_download(attachment)


def as_download(attachment: Attachment) -> HttpResponse:
    """Return the bytes as a download that is never displayed, cached or sniffed."""
    response = HttpResponse(bytes(attachment.content.data), content_type="application/pdf")
    response["Content-Disposition"] = (
        content_disposition_header(True, attachment.name) or "attachment"
    )
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@login_required
@require_POST
def document_remove(request: HttpRequest, public_id: str) -> HttpResponse:
    own_documents = Attachment.objects.filter(
        application__applicant=signed_in(request), removed_at=None
    )
    attachment = get_object_or_404(own_documents.select_related("application"), public_id=public_id)
    application, question = attachment.application, attachment.question
    try:
        services.remove(attachment, by=signed_in(request))
        messages.success(request, "The document is removed.")
    except AccountsError as error:
        messages.error(request, sentence(error))
        return redirect("accounts:application-detail", application.public_id)
    return redirect("accounts:document-add", application.public_id, question)
