"""Problem details (RFC 9457): the format of every error below /api/v1/."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

from django.core.exceptions import NON_FIELD_ERRORS
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.encoding import escape_uri_path

from accounts.errors import AccountsCode, ErrorCode
from weights.api.error_codes import DEFAULT_CODES, ERROR_CODES
from weights.api.schemas.common import absolute_url
from weights.gate import Decision
from weights.gate.access_checklist import next_step
from weights.gate.refusals import Refusal
from weights.web.http_headers import header_text

API_ROOT = "/api/v1"
MEDIA_TYPE = "application/problem+json"
_NEEDING_A_TOKEN = {
    Refusal.TOKEN_SCOPE,
    Refusal.TOKEN_INVALID,
    Refusal.TOKEN_EXPIRED,
    Refusal.HUGGING_FACE_TOKEN,
}
_BODY_HEADERS = {"content-type", "content-length"}


class FieldError(NamedTuple):
    """An error in one field of a request."""

    field: str
    message: str


def form_errors(form: BaseForm) -> list[FieldError]:
    """A form's validation errors, field by field; those of the whole form have an empty field."""
    return [
        FieldError("" if field == NON_FIELD_ERRORS else field, str(message))
        for field, messages in form.errors.items()
        for message in messages
    ]


class ApiError(Exception):
    """Aborts an operation with a problem; `status` defaults to that of the code.

    `retry_after` is in seconds.
    """

    def __init__(
        self,
        code: ErrorCode,
        detail: str,
        *,
        status: int | None = None,
        field_errors: list[FieldError] | None = None,
        next_step: dict[str, str] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.code: str = code
        self.detail = detail
        self.status = status or ERROR_CODES[code].status
        self.field_errors = field_errors or []
        self.next_step, self.retry_after = next_step, retry_after

    @classmethod
    def from_response(cls, code: str, detail: str, status: int) -> "ApiError":
        """The problem for a middleware's error response; `code` may be unknown to the API."""
        error = cls(AccountsCode.BAD_REQUEST, detail, status=status)
        error.code = code
        return error

    @classmethod
    def from_decision(cls, decision: Decision) -> "ApiError":
        """The problem for a refusal of the gate."""
        code = decision.error_code
        assert code is not None  # a refusal
        return cls(
            code,
            decision.message,
            status=decision.status,
            next_step=next_step_of(decision),
        )


def next_step_of(decision: Decision) -> dict[str, str] | None:
    """A step that the caller can take next, as `text` and `url`."""
    if decision.code in _NEEDING_A_TOKEN:
        step: tuple[str, str] | None = ("Create a token", reverse("accounts:token-list"))
    else:
        step = next_step(decision, decision.checkpoint) if decision.checkpoint else None
    return {"text": step[0], "url": absolute_url(step[1])} if step else None


def problem_response(request: HttpRequest, error: ApiError) -> HttpResponse:
    """The error as problem details; code and detail are repeated in headers."""
    payload: dict[str, Any] = {
        "type": absolute_url(f"{API_ROOT}/problems/{error.code}"),
        "title": _title(error.code, error.status),
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "instance": escape_uri_path(request.path),
    }
    if error.field_errors:
        payload["errors"] = [field_error._asdict() for field_error in error.field_errors]
    if error.next_step:
        payload["next_step"] = error.next_step
    response = HttpResponse(json.dumps(payload), content_type=MEDIA_TYPE, status=error.status)
    response["X-Error-Code"] = error.code
    response["X-Error-Message"] = header_text(error.detail)
    if error.code in set(Refusal):
        response["X-Refusal-Code"] = error.code
    if error.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="Weighbridge"'
    if error.retry_after:
        response["Retry-After"] = str(error.retry_after)
    return response


def _title(code: str, status: int) -> str:
    error = ERROR_CODES.get(code)
    return error.title if error else HTTPStatus(status).phrase


class ProblemMiddleware:
    """Turns every other error response below /api/v1/ into a problem, and forbids caching.

    Such errors come from outside an operation: unknown hosts, rate limits, unknown URLs, wrong
    methods and server errors.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path_info != API_ROOT and not request.path_info.startswith(f"{API_ROOT}/"):
            return response
        response.setdefault("Cache-Control", "private, no-store")
        is_problem = response.headers.get("Content-Type", "").startswith(MEDIA_TYPE)
        if response.status_code < 400 or is_problem:
            return response
        return _as_problem(request, response)


def _as_problem(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The same error with its headers, and problem details as its body."""
    payload = _error_payload(response)
    status = response.status_code
    code = str(payload.get("code") or DEFAULT_CODES.get(status, AccountsCode.BAD_REQUEST))
    detail = str(payload.get("error") or _default_detail(request, response))
    problem = problem_response(request, ApiError.from_response(code, detail, status))
    for name, value in response.headers.items():
        if name.lower() not in _BODY_HEADERS:
            problem[name] = value
    problem["Content-Length"] = str(len(problem.content))
    if request.method == "HEAD":
        problem.content = b""
    return problem


def _error_payload(response: HttpResponse) -> dict[str, Any]:
    """The JSON object in an error response; empty if it has none."""
    if not response.headers.get("Content-Type", "").startswith("application/json"):
        return {}
    try:
        payload = json.loads(response.content or b"{}")
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}


def _default_detail(request: HttpRequest, response: HttpResponse) -> str:
    if response.status_code == 405:
        return f"{request.method} is not allowed; use {response.headers.get('Allow', '')}."
    error = ERROR_CODES[DEFAULT_CODES.get(response.status_code, AccountsCode.BAD_REQUEST)]
    return f"{error.title}. {error.remedy}"
