"""The API: its routers, its OpenAPI document and its exception handlers."""

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
from ninja.openapi.schema import REF_TEMPLATE, OpenAPISchema
from ninja.operation import Operation
from ninja.schema import NinjaGenerateJsonSchema

from accounts.background.outages import outage_message
from accounts.errors import (
    AccountsCode,
    AccountsError,
    LimitReached,
    RecentAuthenticationRequired,
)
from weights.api import drafts
from weights.api.authentication import BearerToken, OptionalToken
from weights.api.error_codes import ERROR_CODES
from weights.api.parsing import BoundedParser
from weights.api.problems import MEDIA_TYPE, ApiError, FieldError, problem_response
from weights.api.routers import (
    applications,
    audit,
    checkpoints,
    documents,
    downloads,
    error_codes,
    grants,
    issues,
    keys,
    links,
    recalls,
    tiers,
    transparency,
)
from weights.api.schemas.problems import Problem
from weights.errors import GateRefused, WeightsCode, WeightsError
from weights.gate.refusals import error_code

log = logging.getLogger(__name__)

_PROBLEM = REF_TEMPLATE.format(model="Problem")
DESCRIPTION = """
The functions of this portal's pages, for scripts. Send a token as `Authorization: Bearer hf_wb…`;
public data needs none. Every error is `application/problem+json` (RFC 9457) with a stable
`code`. Sizes are bytes, times are UTC.
"""


class Documentation(Swagger):
    """The documentation page, served from this origin without inline scripts."""

    template = "weights/api/api_docs.html"


class PortalApi(NinjaAPI):
    """NinjaAPI with an OpenAPI document that describes problem details and optional tokens.

    The document takes 0.1 seconds to generate and never changes, so it is generated once.
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
        operations.pop("head", None)  # it would repeat the operation id of GET
        for operation in operations.values():
            _correct(operation)
    components = document["components"]
    components["securitySchemes"].pop(OptionalToken.__name__, None)
    problem = Problem.model_json_schema(
        ref_template=REF_TEMPLATE, schema_generator=NinjaGenerateJsonSchema
    )
    components["schemas"] |= problem.pop("$defs") | {"Problem": problem}
    return document


def _correct(operation: dict[str, Any]) -> None:
    """Describes problems, and lists the empty requirement for optional tokens.

    Adds 414 as well: the web server refuses a URL that is too long before it reaches the API.
    """
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            response["content"] = {MEDIA_TYPE: {"schema": {"$ref": _PROBLEM}}}
    if operation.get("parameters"):
        operation["responses"][414] = {"description": "URL too long; sent by the web server"}
    if {OptionalToken.__name__: []} in operation.get("security", []):
        operation["security"] = [{BearerToken.__name__: []}, {}]


api = PortalApi(
    title="Weighbridge",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    # The badge would load a validator from another origin.
    docs=Documentation({"validatorUrl": None, "defaultModelsExpandDepth": 0}),
    docs_decorator=require_safe,
    parser=BoundedParser(),
)
for module in (
    *(checkpoints, downloads, links, applications, grants, documents, transparency, tiers),
    *(issues, recalls, keys, audit, error_codes, drafts),
):
    api.add_router("", module.router)


# -- exception handlers ------------------------------------------------------------------


@api.exception_handler(ApiError)
def _api_error(request: HttpRequest, error: ApiError) -> HttpResponse:
    return problem_response(request, error)


@api.exception_handler(GateRefused)
def _gate_refused(request: HttpRequest, error: GateRefused) -> HttpResponse:
    return problem_response(
        request, ApiError(error_code(error.code), str(error), retry_after=error.wait)
    )


@api.exception_handler(WeightsError)
def _weights_error(request: HttpRequest, error: WeightsError) -> HttpResponse:
    code = error.code if error.code in ERROR_CODES else AccountsCode.UNAVAILABLE
    return problem_response(request, ApiError(code, str(error)))


@api.exception_handler(AccountsError)
def _accounts_error(request: HttpRequest, error: AccountsError) -> HttpResponse:
    code = error.code if error.code in ERROR_CODES else AccountsCode.BAD_TRANSITION
    return problem_response(request, ApiError(code, str(error)))


@api.exception_handler(RecentAuthenticationRequired)
def _recent_authentication(request: HttpRequest, error: Exception) -> HttpResponse:
    return problem_response(
        request, ApiError(AccountsCode.RECENT_AUTHENTICATION_REQUIRED, str(error))
    )


@api.exception_handler(LimitReached)
def _limit_reached(request: HttpRequest, error: LimitReached) -> HttpResponse:
    """429 if waiting helps, 409 if the limit is on objects that exist."""
    status = 429 if error.wait else 409
    converted = ApiError(error.code, str(error), status=status, retry_after=error.wait)
    return problem_response(request, converted)


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    field_errors = [FieldError(_field(one["loc"]), str(one["msg"])) for one in error.errors]
    detail = "; ".join(f"{one.field}: {one.message}" for one in field_errors[:3])
    return problem_response(
        request, ApiError(WeightsCode.INVALID_REQUEST, detail, field_errors=field_errors)
    )


@api.exception_handler(HttpError)
def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Ninja's own errors; it also wraps the ApiError that the parser raises."""
    if isinstance(error.__cause__, ApiError):
        return problem_response(request, error.__cause__)
    return problem_response(
        request, ApiError(AccountsCode.BAD_REQUEST, str(error), status=error.status_code)
    )


@api.exception_handler(RequestDataTooBig)
def _too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return problem_response(
        request, ApiError(AccountsCode.BODY_TOO_LARGE, "The body is larger than 1 MiB.")
    )


@api.exception_handler(UnreadablePostError)
def _unreadable(request: HttpRequest, error: UnreadablePostError) -> HttpResponse:
    return problem_response(request, ApiError(AccountsCode.BAD_REQUEST, "The body ended early."))


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return problem_response(request, ApiError(AccountsCode.NOT_FOUND, "This API has no such URL."))


@api.exception_handler(OperationalError)
@api.exception_handler(InterfaceError)
def _database_unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    log.error(outage_message(error))
    return problem_response(
        request, ApiError(AccountsCode.UNAVAILABLE, "Try again in a moment.", retry_after=10)
    )


def _field(location: tuple[str | int, ...]) -> str:
    """`body.answers.title`, without the name of the operation's parameter."""
    source, *parts = [str(part) for part in location]
    return ".".join(parts[1:] if source == "body" else parts) or source
