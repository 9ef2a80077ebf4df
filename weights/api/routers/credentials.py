"""Revocation of leaked tokens by anyone who finds one, such as a secret scanner."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from accounts.api_tokens import leaked_tokens
from accounts.errors import AccountsCode
from weights.api.api import api
from weights.api.parsing import BoundedParser
from weights.api.problems import ApiError, problem_response

REVOKED = "Every token of this portal in your request is now revoked, and its owner is notified."


@csrf_exempt
def revoke_leaked(request: HttpRequest) -> HttpResponse:
    """Revokes every token in a JSON body; the response does not reveal which texts were tokens.

    Needs no credential: anyone who has a token may revoke it. The JSON may have any shape, so
    that scanners can send their own reports unchanged.
    """
    if request.method != "POST":
        refused = problem_response(
            request, ApiError(AccountsCode.METHOD_NOT_ALLOWED, "Send leaked tokens by POST.")
        )
        refused["Allow"] = "POST"
        refused["Cache-Control"] = "no-store"
        return refused
    try:
        payload = BoundedParser().parse_body(request)
    except (ApiError, RequestDataTooBig, UnreadablePostError) as error:
        return api.on_exception(request, error)
    leaked_tokens.revoke(_texts(payload))
    response = JsonResponse({"message": REVOKED}, status=202)
    response["Cache-Control"] = "no-store"
    return response


def _texts(value: Any) -> Iterator[str]:
    """Every string in a JSON value; the parser has bounded its depth and length."""
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
