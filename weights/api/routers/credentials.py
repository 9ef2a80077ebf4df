"""Where whoever finds a token that leaked can end it: a scanner, a colleague, a stranger."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from accounts.api_tokens import leaked_tokens
from weights.api.parsing import BoundedParser
from weights.api.problems import Refused, problem

TAKEN = "Every token of this portal in what you sent opens nothing now, and its owner is told."


@csrf_exempt
def revoke_leaked(request: HttpRequest) -> HttpResponse:
    """Take texts of any number and form; the answer says nothing of what they were.

    No credential is looked at, and no cookie: who holds a token may end it. What is sent is
    read as JSON of any shape, so that a scanner's own report can be sent as it is.
    """
    if request.method != "POST":
        refused = problem(request, Refused("method_not_allowed", "Send leaked tokens by POST."))
        refused["Allow"] = "POST"
        refused["Cache-Control"] = "no-store"
        return refused
    try:
        sent = BoundedParser().parse_body(request)
    except Refused as error:
        return problem(request, error)
    except RequestDataTooBig:
        return problem(request, Refused("body_too_large", "The body is larger than 1 MiB."))
    except UnreadablePostError:
        return problem(request, Refused("bad_request", "The body ended early."))
    leaked_tokens.revoke(_texts(sent))
    response = JsonResponse({"message": TAKEN}, status=202)
    response["Cache-Control"] = "no-store"
    return response


def _texts(sent: Any) -> Iterator[str]:
    """Every text in a value of JSON, whose depth and length the parser has bounded."""
    if isinstance(sent, str):
        yield sent.strip()
    elif isinstance(sent, list):
        for one in sent:
            yield from _texts(one)
    elif isinstance(sent, dict):
        for one in sent.values():
            yield from _texts(one)
