"""Refusals as the Hub's clients expect them: `X-Error-Code` decides which exception they raise."""

import json

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts.change_requests.models import ChangeRequest
from accounts.errors import AccountsCode
from weights.delivery import serving
from weights.gate import Decision, Missing
from weights.gate.caller import Caller
from weights.gate.refusals import INVALID_CREDENTIALS, Refusal
from weights.web import cross_origin
from weights.web.http_headers import header_text

_CODES_OF_MISSING = {
    Missing.REPOSITORY: "RepoNotFound",
    Missing.REVISION: "RevisionNotFound",
    Missing.ENTRY: "EntryNotFound",
}
# Clients recognise an invalid token by its message; with a code they raise another exception.
_CODES = {
    Refusal.TOKEN_INVALID: "",
    Refusal.TOKEN_EXPIRED: "",
    Refusal.HUGGING_FACE_TOKEN: "",
    Refusal.QUOTA: "",
    Refusal.NOT_PUBLISHED: "RepoNotFound",
    Refusal.WITHDRAWN: "RevisionNotFound",
}
# Clients require fixed messages for these codes, which do not say what to do.
_TOKEN_WARNINGS = {
    Refusal.TOKEN_INVALID: "This portal does not know the token",
    Refusal.TOKEN_EXPIRED: "The token sent has expired",
}


class RequestRefused(Exception):
    """Aborts a view; `hub_view` responds with the refusal in `decision`."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.message)
        self.decision = decision


def refusal(request: HttpRequest, caller: Caller, decision: Decision) -> HttpResponse:
    """The portal's refusal with the Hub's `X-Error-Code`, and `X-Repo-Commit` for a missing entry.

    `X-HF-Warning` repeats the message, since the `hf` tool shows nothing else of a refusal. Clients
    print it once per topic, which is the refusal code.
    """
    response = serving.refusal(request, caller, decision)
    del response["X-Error-Code"]
    if decision.code is Refusal.HUGGING_FACE_TOKEN:
        response["X-Error-Message"] = INVALID_CREDENTIALS
    if error_code := _error_code(decision):
        response["X-Error-Code"] = error_code
    if decision.code is not None:
        response["X-HF-Warning"] = f"{decision.code}; {header_text(_warning(decision))}"
    if decision.missing is Missing.ENTRY and decision.revision is not None:
        response["X-Repo-Commit"] = decision.revision.sha
    if decision.missing and decision.checkpoint and "HTTP_AUTHORIZATION" not in request.META:
        # transformers.js requests optional files, so it must be able to read a 404.
        cross_origin.allow(response, decision.caller, decision.checkpoint)
    return response


def waiting(request: ChangeRequest) -> HttpResponse:
    """403 with the URL of the change request, in the message and as `request`.

    Clients would treat a 2xx as success, although a second person must confirm first.
    """
    address = settings.PUBLIC_URL + request.path
    message = f"A second person must confirm this first, at {address}"
    code = AccountsCode.SECOND_PERSON_REQUIRED
    response = serving.problem(403, code, message)
    response.content = json.dumps({"error": message, "code": code, "request": address})
    return response


def _warning(decision: Decision) -> str:
    warning = _TOKEN_WARNINGS.get(decision.code) if decision.code else None
    if warning is None:
        return decision.message
    tokens_page = settings.PUBLIC_URL + reverse("accounts:token-list")
    return f"{warning}. Unset HF_TOKEN, or create a token at {tokens_page}"


def _error_code(decision: Decision) -> str:
    """`GatedRepo` unless listed above: clients report a 403 without a code as a network error."""
    if decision.missing is not None:
        return _CODES_OF_MISSING[decision.missing]
    return _CODES.get(decision.code, "GatedRepo") if decision.code else ""
