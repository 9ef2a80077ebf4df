"""Documents of my applications: PDF bodies in, PDF bodies out."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from ninja import Query, Router, responses

from accounts.applications.documents import services
from accounts.applications.documents.models import Attachment
from accounts.applications.documents.views import as_download
from accounts.applications.models import Application
from accounts.errors import NotFound
from weights.api import schemas
from weights.api.answers import READ, answers
from weights.api.authentication import ApiRequest, GatedToken, person
from weights.api.problems import Refused

router = Router(tags=["Applications and grants"], auth=GatedToken())

_BINARY = {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}


@router.post(
    "/applications/{uuid:public_id}/documents",
    response=answers(schemas.DocumentTold, 400, 404, 409, 413, 415, 422, status=201),
    summary="Send a document",
    openapi_extra={"requestBody": {"required": True, "content": _BINARY}},
)
def document_send(
    request: ApiRequest,
    public_id: UUID,
    question: str = Query(max_length=60, description="Key of a question of kind `file`"),
    name: str = Query("document.pdf", max_length=200),
) -> responses.Status[schemas.DocumentTold]:
    """The body is the PDF itself, at most 10 MiB and sent with its length; without scripts,
    files inside or a password. The same content again changes nothing."""
    application = (
        Application.objects.filter(applicant=person(request), public_id=public_id)
        .select_related("tier", "form")
        .first()
    )
    if application is None:
        raise Refused("application_not_found", f"You have no application {public_id}.")
    try:
        services.question_of(application, question)
    except NotFound as error:
        raise Refused("invalid_value", f"The form asks for no document {question!r}.") from error
    kept = services.attach(application, question, name, _body(request), by=person(request))
    return responses.Status(201, schemas.DocumentTold.of(kept))


def _body(request: ApiRequest) -> bytes:
    """Never more than a document may have, whatever length is told."""
    if request.content_type != "application/pdf":
        raise Refused("unsupported_media_type", "Send the PDF as application/pdf.")
    told = int(request.META.get("CONTENT_LENGTH") or 0)
    content: bytes = b"" if told > services.MOST_BYTES else request.read(services.MOST_BYTES + 1)
    if told > services.MOST_BYTES or len(content) > services.MOST_BYTES:
        raise Refused("body_too_large", "The document is larger than 10 MiB.")
    return content


@router.api_operation(
    READ,
    "/applications/documents/{uuid:public_id}",
    response=answers(None, 404),
    summary="Read a document",
    openapi_extra={"responses": {200: {"description": "The PDF", "content": _BINARY}}},
)
def document_read(request: ApiRequest, public_id: UUID) -> HttpResponse:
    """One of yours, as you sent it."""
    return as_download(_own(request, public_id))


@router.delete(
    "/applications/documents/{uuid:public_id}",
    response=answers(schemas.DocumentTold, 404, 409),
    summary="Take a document out",
)
def document_remove(request: ApiRequest, public_id: UUID) -> schemas.DocumentTold:
    """While the application is a draft or returned; what reviewers have read stays with them."""
    found = _own(request, public_id)
    told = schemas.DocumentTold.of(found)
    services.remove(found, by=person(request))
    return told


def _own(request: ApiRequest, public_id: UUID) -> Attachment:
    mine: Any = Attachment.objects.filter(application__applicant=person(request), removed_at=None)
    found: Attachment | None = (
        mine.select_related("application").filter(public_id=public_id).first()
    )
    if found is None:
        raise Refused("document_not_found", f"You have no document {public_id}.")
    return found
