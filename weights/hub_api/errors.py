"""The Hub's words for what went wrong; its clients choose their exception by them."""

from django.http import HttpRequest, HttpResponse

from weights import serving
from weights.caller import Caller, Refusal
from weights.gate import Decision, Missing

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
}


class Refused(Exception):
    """Ends a view with the answer to this decision."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.message)
        self.decision = decision


def refusal(request: HttpRequest, caller: Caller, decision: Decision) -> HttpResponse:
    """The plain answer with `X-Error-Code`, and the commit in which an entry is missing."""
    response = serving.refusal(request, caller, decision)
    if error_code := _error_code(decision):
        response["X-Error-Code"] = error_code
    if decision.missing is Missing.ENTRY and decision.revision is not None:
        response["X-Repo-Commit"] = decision.revision.sha
    return response


def _error_code(decision: Decision) -> str:
    """Everything else is `GatedRepo`: the client hides a plain 403 behind a network error."""
    if decision.missing is not None:
        return _MISSING[decision.missing]
    return _BY_CODE.get(decision.code, "GatedRepo") if decision.code else ""
