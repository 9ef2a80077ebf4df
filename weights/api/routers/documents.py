"""Documents of the caller's applications, uploaded and downloaded as PDF."""

from uuid import UUID

from django.http import HttpResponse
from ninja import Query, Router
from ninja.responses import Status

from accounts.applications.documents import services
from accounts.applications.documents.models import Attachment
from accounts.applications.documents.views import as_download
from accounts.applications.models import Application
from accounts.errors import AccountsCode, NotFound
from weights.api.authentication import ApiRequest, GatedToken, current_user
from weights.api.operations import READ_METHODS, responses
from weights.api.problems import ApiError
from weights.api.schemas.applications import DocumentOut
from weights.errors import WeightsCode

router = Router(tags=["Applications and grants"], auth=GatedToken())

_BINARY = {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}


@router.post(
    "/applications/{uuid:public_id}/documents",
    response=responses(DocumentOut, 400, 404, 409, 413, 415, 422, status=201),
    summary="Upload a document",
    openapi_extra={"requestBody": {"required": True, "content": _BINARY}},
)
def document_send(
    request: ApiRequest,
    public_id: UUID,
    question: str = Query(max_length=60, description="Key of a question of kind `file`"),
    name: str = Query("document.pdf", max_length=200),
) -> Status[DocumentOut]:
    """The body is the PDF itself: at most 10 MiB, with a Content-Length, without scripts,
    embedded files or a password. Uploading the same content again changes nothing."""
    application = (
        Application.objects.filter(applicant=current_user(request), public_id=public_id)
        .select_related("tier", "form")
        .first()
    )
    if application is None:
        raise ApiError(WeightsCode.APPLICATION_NOT_FOUND, f"You have no application {public_id}.")
    try:
        services.get_question(application, question)
    except NotFound as error:
        raise ApiError(
            AccountsCode.INVALID_VALUE, f"The form has no file question {question!r}."
        ) from error
    attachment = services.attach(
        application, question, name, _body(request), by=current_user(request)
    )
    return Status(201, DocumentOut.from_orm(attachment))


def _body(request: ApiRequest) -> bytes:
    """The PDF; never reads more than a document's maximum, whatever `Content-Length` claims."""
    if request.content_type != "application/pdf":
        raise ApiError(AccountsCode.UNSUPPORTED_MEDIA_TYPE, "Send the PDF as application/pdf.")
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    content: bytes = b"" if length > services.MAX_BYTES else request.read(services.MAX_BYTES + 1)
    if length > services.MAX_BYTES or len(content) > services.MAX_BYTES:
        raise ApiError(AccountsCode.BODY_TOO_LARGE, "The document is larger than 10 MiB.")
    return content


@router.api_operation(
    READ_METHODS,
    "/applications/documents/{uuid:public_id}",
    response=responses(None, 404),
    summary="Read a document",
    openapi_extra={"responses": {200: {"description": "The PDF", "content": _BINARY}}},
)
def document_read(request: ApiRequest, public_id: UUID) -> HttpResponse:
    """One of your documents, as you sent it."""
    return as_download(_own(request, public_id))


@router.delete(
    "/applications/documents/{uuid:public_id}",
    response=responses(DocumentOut, 404, 409),
    summary="Remove a document",
)
def document_remove(request: ApiRequest, public_id: UUID) -> DocumentOut:
    """Only while the application is a draft or returned.

    Reviewers can still read documents of earlier submissions.
    """
    attachment = _own(request, public_id)
    removed = DocumentOut.from_orm(attachment)
    services.remove(attachment, by=current_user(request))
    return removed


def _own(request: ApiRequest, public_id: UUID) -> Attachment:
    own = Attachment.objects.filter(
        application__applicant=current_user(request), removed_at=None
    ).select_related("application")
    attachment: Attachment | None = own.filter(public_id=public_id).first()
    if attachment is None:
        raise ApiError(WeightsCode.DOCUMENT_NOT_FOUND, f"You have no document {public_id}.")
    return attachment
