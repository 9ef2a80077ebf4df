"""Problem details (RFC 9457): the one form of every error below /api/v1/."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import escape_uri_path

from weights.api.code_meanings import BY_STATUS, MEANINGS
from weights.gate import Decision
from weights.gate.access_checklist import next_step
from weights.gate.caller import Refusal
from weights.web.http_headers import header_text

ROOT = "/api/v1"
MEDIA_TYPE = "application/problem+json"
_BODY_HEADERS = {"content-type", "content-length"}


class Fault(NamedTuple):
    """What is wrong with one field of a request."""

    field: str
    message: str


class Refused(Exception):
    """Ends an operation with a problem; the status is the code's own unless one is given.

    `wait` is the seconds after which the same may succeed.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        faults: list[Fault] | None = None,
        next_step: dict[str, str] | None = None,
        wait: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail
        self.status = status or MEANINGS[code].status
        self.faults = faults or []
        self.next_step, self.wait = next_step, wait

    @classmethod
    def by(cls, decision: Decision) -> "Refused":
        """The gate's refusal as a problem."""
        return cls(
            code_of(decision),
            decision.message,
            status=decision.status,
            next_step=step_after(decision),
        )


def code_of(decision: Decision) -> str:
    """The gate's code, or which name led nowhere; empty when the gate allows."""
    if decision.missing is not None:
        return f"{decision.missing}_not_found"
    return str(decision.code or "")


def step_after(decision: Decision) -> dict[str, str] | None:
    """What the caller can do next, as words and an address."""
    if decision.code in {Refusal.TOKEN_SCOPE, Refusal.TOKEN_INVALID, Refusal.TOKEN_EXPIRED}:
        return {"text": "Make a token", "url": f"{settings.PUBLIC_URL}/settings/tokens/"}
    if decision.checkpoint is None:
        return None
    step = next_step(decision, decision.checkpoint)
    return {"text": step[0], "url": f"{settings.PUBLIC_URL}{step[1]}"} if step else None


def problem(request: HttpRequest, refused: Refused) -> HttpResponse:
    """The answer to a refused request: problem details, and the same in headers."""
    told: dict[str, Any] = {
        "type": f"{settings.PUBLIC_URL}{ROOT}/problems/{refused.code}",
        "title": title(refused.code, refused.status),
        "status": refused.status,
        "detail": refused.detail,
        "code": refused.code,
        "instance": escape_uri_path(request.path),
    }
    if refused.faults:
        told["errors"] = [fault._asdict() for fault in refused.faults]
    if refused.next_step:
        told["next_step"] = refused.next_step
    response = HttpResponse(json.dumps(told), content_type=MEDIA_TYPE, status=refused.status)
    response["X-Error-Code"] = refused.code
    response["X-Error-Message"] = header_text(refused.detail)
    if refused.code in set(Refusal):
        response["X-Refusal-Code"] = refused.code
    if refused.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="Weighbridge"'
    if refused.wait:
        response["Retry-After"] = str(refused.wait)
    return response


def title(code: str, status: int) -> str:
    meaning = MEANINGS.get(code)
    return meaning.title if meaning else HTTPStatus(status).phrase


class ProblemMiddleware:
    """Word as a problem what was refused below /api/v1/ before or beside an operation.

    An unknown host, a rate limit, an unknown address, a wrong method, a failure: whoever
    refused, a script reads one form. Nothing of the API may be kept by a cache.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path_info != ROOT and not request.path_info.startswith(f"{ROOT}/"):
            return response
        response.setdefault("Cache-Control", "private, no-store")
        is_problem = response.headers.get("Content-Type", "").startswith(MEDIA_TYPE)
        if response.status_code < 400 or is_problem:
            return response
        return _reworded(request, response)


def _reworded(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The same refusal, its headers kept, with problem details for a body."""
    told = _told(response)
    status = response.status_code
    code = str(told.get("code") or BY_STATUS.get(status, "bad_request"))
    detail = str(told.get("error") or _usual_detail(request, response))
    answer = problem(request, Refused(code, detail, status=status))
    for name, value in response.headers.items():
        if name.lower() not in _BODY_HEADERS:
            answer[name] = value
    answer["Content-Length"] = str(len(answer.content))
    if request.method == "HEAD":
        answer.content = b""
    return answer


def _told(response: HttpResponse) -> dict[str, Any]:
    """What a refusal says of itself, where it is JSON with a code or a sentence."""
    if not response.headers.get("Content-Type", "").startswith("application/json"):
        return {}
    try:
        told = json.loads(response.content or b"{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _usual_detail(request: HttpRequest, response: HttpResponse) -> str:
    if response.status_code == 405:
        return f"{request.method} is not answered here; use {response.headers.get('Allow', '')}."
    meaning = MEANINGS[BY_STATUS.get(response.status_code, "bad_request")]
    return f"{meaning.title}. {meaning.remedy}"
