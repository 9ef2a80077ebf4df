"""The API as a whole: its routers, its document, and what its refusals become."""

import logging
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.openapi.docs import Swagger
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from accounts.background.outages import in_a_line
from accounts.errors import AccountsError, LimitReached
from weights.api.authentication import BearerToken, OptionalToken
from weights.api.code_meanings import MEANINGS
from weights.api.parsing import BoundedParser
from weights.api.problems import MEDIA_TYPE, Fault, Refused, problem
from weights.api.routers import (
    applications,
    audit,
    checkpoints,
    codes,
    documents,
    downloads,
    grants,
    issues,
    keys,
    links,
    recalls,
    tiers,
    transparency,
)
from weights.errors import GateRefused
from weights.gate import Missing

log = logging.getLogger(__name__)

DESCRIPTION = """
What the pages of this portal do, for scripts. Send a token as `Authorization: Bearer wb_…`;
what is public needs none. Every error is `application/problem+json` (RFC 9457) with a stable
`code`. Sizes are bytes, times are UTC.
"""


class Documentation(Swagger):
    """The documentation page, from this origin alone and without inline script."""

    template = "weights/api/api_docs.html"


class PortalApi(NinjaAPI):
    """Ninja's API, its document corrected where our answers differ from its own.

    The document takes a fifth of a second to make and never changes, so it is made once.
    """

    _document: OpenAPISchema | None = None

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        if self._document is None:
            self._document = _corrected(super().get_openapi_schema())
        return self._document


def _corrected(document: OpenAPISchema) -> OpenAPISchema:
    for operations in document["paths"].values():
        operations.pop("head", None)  # as GET without a body; ids are given once
        for operation in operations.values():
            _correct(operation)
    document["components"]["securitySchemes"].pop(OptionalToken.__name__, None)
    return document


def _correct(operation: dict[str, Any]) -> None:
    """Problems have a media type of their own, and an optional token is one that may be missing.

    An address that is too long never gets as far as the API.
    """
    if operation.get("parameters"):
        operation["responses"][414] = {"description": "Address too long, told by the web server"}
    for status, response in operation["responses"].items():
        if int(status) >= 400 and "application/json" in response.get("content", {}):
            response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}
    if {OptionalToken.__name__: []} in operation.get("security", []):
        operation["security"] = [{BearerToken.__name__: []}, {}]


api = PortalApi(
    title="Weighbridge",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    # Its badge would ask a validator on another origin.
    docs=Documentation({"validatorUrl": None, "defaultModelsExpandDepth": 0}),
    docs_decorator=require_safe,
    parser=BoundedParser(),
)
api.add_router("", checkpoints.router)
api.add_router("", downloads.router)
api.add_router("", links.router)
api.add_router("", applications.router)
api.add_router("", grants.router)
api.add_router("", documents.router)
api.add_router("", transparency.router)
api.add_router("", tiers.router)
api.add_router("", issues.router)
api.add_router("", recalls.router)
api.add_router("", keys.router)
api.add_router("", audit.router)
api.add_router("", codes.router)


# -- refusals ---------------------------------------------------------------------------


@api.exception_handler(Refused)
def _refused(request: HttpRequest, error: Refused) -> HttpResponse:
    return problem(request, error)


@api.exception_handler(GateRefused)
def _by_gate(request: HttpRequest, error: GateRefused) -> HttpResponse:
    code = f"{error.code}_not_found" if error.code in set(Missing) else error.code
    return problem(request, Refused(code, str(error), wait=error.wait))


@api.exception_handler(AccountsError)
def _by_accounts(request: HttpRequest, error: AccountsError) -> HttpResponse:
    code = error.code if error.code in MEANINGS else "bad_transition"
    return problem(request, Refused(code, _sentence(error)))


@api.exception_handler(LimitReached)
def _limit_reached(request: HttpRequest, error: LimitReached) -> HttpResponse:
    """429 asks to wait; where waiting does not help, the state of things is in the way."""
    status = 429 if error.wait else 409
    refused = Refused(error.code, _sentence(error), status=status, wait=error.wait)
    return problem(request, refused)


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    faults = [Fault(_field(fault["loc"]), str(fault["msg"])) for fault in error.errors]
    detail = "; ".join(f"{fault.field}: {fault.message}" for fault in faults[:3])
    return problem(request, Refused("invalid_request", detail, faults=faults))


@api.exception_handler(HttpError)
def _by_ninja(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Ninja wraps what the parser raised."""
    if isinstance(error.__cause__, Refused):
        return problem(request, error.__cause__)
    return problem(request, Refused("bad_request", str(error), status=error.status_code))


@api.exception_handler(RequestDataTooBig)
def _too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return problem(request, Refused("body_too_large", "The body is larger than 1 MiB."))


@api.exception_handler(UnreadablePostError)
def _unreadable(request: HttpRequest, error: UnreadablePostError) -> HttpResponse:
    return problem(request, Refused("bad_request", "The body ended early."))


@api.exception_handler(Http404)
def _nowhere(request: HttpRequest, error: Http404) -> HttpResponse:
    return problem(request, Refused("not_found", "There is no such address in this API."))


@api.exception_handler(OperationalError)
@api.exception_handler(InterfaceError)
def _database_away(request: HttpRequest, error: Exception) -> HttpResponse:
    log.error(in_a_line(error))
    return problem(request, Refused("unavailable", "Try again in a moment.", wait=10))


def _field(where: tuple[str | int, ...]) -> str:
    """`body.answers.title`: without the parameter's own name, which no caller sent."""
    source, *parts = [str(part) for part in where]
    return ".".join(parts[1:] if source == "body" else parts) or source


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}"
