"""The Hub's words for what went wrong; its clients choose their exception by them."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from weights.delivery import serving
from weights.gate import Decision, Missing
from weights.gate.caller import Caller, Refusal
from weights.web.http_headers import header_text

_MISSING = {
    Missing.REPOSITORY: "RepoNotFound",
    Missing.REVISION: "RevisionNotFound",
    Missing.ENTRY: "EntryNotFound",
}
# An invalid token is known by its message; a code would make it another error.
_BY_CODE = {
    Refusal.TOKEN_INVALID: "",
    Refusal.TOKEN_EXPIRED: "",
    Refusal.QUOTA: "",
    Refusal.NOT_PUBLISHED: "RepoNotFound",
    Refusal.WITHDRAWN: "RevisionNotFound",
}
# The exact words that the client wants of these say nothing of what to do.
_OF_TOKENS = {
    Refusal.TOKEN_INVALID: "The token sent is unknown here, as one of another hub would be",
    Refusal.TOKEN_EXPIRED: "The token sent has expired",
}


class Refused(Exception):
    """Ends a view with the answer to this decision."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.message)
        self.decision = decision


def refusal(request: HttpRequest, caller: Caller, decision: Decision) -> HttpResponse:
    """The plain answer with `X-Error-Code`, and the commit in which an entry is missing.

    The `hf` tool shows none of our words for a refusal but those in `X-HF-Warning`, which it
    and the library print once for each topic: the code is the topic.
    """
    response = serving.refusal(request, caller, decision)
    del response["X-Error-Code"]
    if error_code := _error_code(decision):
        response["X-Error-Code"] = error_code
    if decision.code is not None:
        response["X-HF-Warning"] = f"{decision.code}; {header_text(_advice(decision))}"
    if decision.missing is Missing.ENTRY and decision.revision is not None:
        response["X-Repo-Commit"] = decision.revision.sha
    return response


def _advice(decision: Decision) -> str:
    """What happened and where to go, for somebody who sees nothing else."""
    happened = _OF_TOKENS.get(decision.code) if decision.code else None
    if happened is None:
        return decision.message
    return f"{happened}. Unset HF_TOKEN, or make a token at {settings.PUBLIC_URL}/settings/tokens/"


def _error_code(decision: Decision) -> str:
    """Everything else is `GatedRepo`: the client hides a plain 403 behind a network error."""
    if decision.missing is not None:
        return _MISSING[decision.missing]
    return _BY_CODE.get(decision.code, "GatedRepo") if decision.code else ""
