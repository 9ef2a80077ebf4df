"""Error responses: an HTML page, or JSON for paths below /api/."""

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import reverse_lazy
from django.utils.functional import Promise

from accounts.errors import AccountsCode, ErrorCode

#: The text and URL of a link to continue with.
NextStep = tuple[str, str | Promise]

HOME: NextStep = ("Go to the home page", reverse_lazy("weights:home"))
_CATALOGUE: NextStep = ("Browse the catalogue", reverse_lazy("weights:checkpoint-list"))
_ACCESS: NextStep = ("My access", reverse_lazy("weights:access"))
_SIGN_IN: NextStep = ("Sign in", reverse_lazy("account_login"))

#: status -> title, sentence, code, next steps.
ERRORS: dict[int, tuple[str, str, ErrorCode, list[NextStep]]] = {
    400: (
        "We could not read that request",
        "The address or the form contains something that this portal does not understand. "
        "Go back, reload the page and try again.",
        AccountsCode.BAD_REQUEST,
        [HOME],
    ),
    401: (
        "Sign in first",
        "You need to sign in to see this page.",
        AccountsCode.LOGIN_REQUIRED,
        [_SIGN_IN, _CATALOGUE],
    ),
    403: (
        "You do not have access to this page",
        "Your account may not open it. If you expected access, check when yours ends.",
        AccountsCode.FORBIDDEN,
        [_ACCESS, _CATALOGUE],
    ),
    404: (
        "Page not found",
        "No page has this address. It may be mistyped, or the page was removed.",
        AccountsCode.NOT_FOUND,
        [_CATALOGUE, HOME],
    ),
    405: (
        "Method not allowed",
        "This address does not accept that kind of request. Open the page again and use a button.",
        AccountsCode.METHOD_NOT_ALLOWED,
        [HOME, _CATALOGUE],
    ),
    410: (
        "This page is gone",
        "What was at this address has been removed for good.",
        AccountsCode.GONE,
        [_ACCESS, _CATALOGUE],
    ),
    413: (
        "The form is too large",
        "A form may hold one megabyte in total, so nothing was saved. Go back, shorten the longest "
        "text and send it again.",
        AccountsCode.BODY_TOO_LARGE,
        [HOME],
    ),
    415: (
        "Unsupported media type",
        "Send the body in the format that this address expects, without compression.",
        AccountsCode.UNSUPPORTED_MEDIA_TYPE,
        [HOME],
    ),
    429: (
        "Too many requests",
        "You have reached the limit for this request. Wait a few minutes, then try again.",
        AccountsCode.RATE_LIMITED,
        [HOME],
    ),
    500: (
        "Something went wrong on our side",
        "The error was logged, and nothing that you entered was saved. Try again in a moment.",
        AccountsCode.INTERNAL_ERROR,
        [HOME],
    ),
    503: (
        "Temporarily unavailable",
        "Part of the portal does not respond. Try again in a minute.",
        AccountsCode.UNAVAILABLE,
        [HOME],
    ),
}

#: status -> seconds in Retry-After.
RETRY_AFTER = {429: 300, 503: 30}


def error_page(
    request: HttpRequest,
    status: int,
    *,
    code: ErrorCode | None = None,
    title: str = "",
    message: str = "",
    steps: list[NextStep] | None = None,
    wait: int = 0,
    without_database: bool = False,
) -> HttpResponse:
    """Return the response for `status`, with defaults from ERRORS and RETRY_AFTER.

    `without_database` renders without context processors, because the database may have failed.
    """
    default_title, default_message, default_code, default_steps = ERRORS[status]
    code, message = code or default_code, message or default_message
    response: HttpResponse
    if request.path.startswith("/api/"):
        response = JsonResponse({"error": message, "code": code}, status=status)
    else:
        context = {
            "status": status,
            "title": title or default_title,
            "message": message,
            "code": code,
            "steps": default_steps if steps is None else steps,
            "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
        }
        page = render_to_string("errors/error.html", context, None if without_database else request)
        response = HttpResponse(page, status=status)
    response["X-Error-Code"] = code
    response["Cache-Control"] = "private, no-store"
    if status in RETRY_AFTER:
        response["Retry-After"] = str(wait or RETRY_AFTER[status])
    return response
