"""One answer for every error: a page for people, JSON below /api/ for scripts."""

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

#: status -> title, sentence, code, next steps as (text, address).
ERRORS: dict[int, tuple[str, str, str, list[tuple[str, str]]]] = {
    400: (
        "That request could not be read",
        "Something in the address or the form was not as this portal expects it. "
        "Go back, reload the page and try again.",
        "bad_request",
        [("Go to the start", "/")],
    ),
    401: (
        "Sign in first",
        "What stands here is given to people who are known and allowed.",
        "login_required",
        [("Sign in", "/accounts/login/"), ("Catalogue", "/models")],
    ),
    403: (
        "You may not open this",
        "Your account has no right to it. If you expected one, see what you hold.",
        "forbidden",
        [("My access", "/access/"), ("Catalogue", "/models")],
    ),
    404: (
        "Nothing is here",
        "No page has this address. It may have been mistyped, or what stood here is gone.",
        "not_found",
        [("Search the catalogue", "/models"), ("Go to the start", "/")],
    ),
    405: (
        "This address does not take that",
        "What was sent is not answered here. Open the page anew and use its buttons.",
        "method_not_allowed",
        [("Go to the start", "/"), ("Catalogue", "/models")],
    ),
    410: (
        "This is gone",
        "What stood at this address was here and has ended for good.",
        "gone",
        [("My access", "/access/"), ("Catalogue", "/models")],
    ),
    413: (
        "That is too much for one form",
        "A form may hold one megabyte in all, and nothing of this one was taken. Go back, shorten "
        "the longest text and send it again.",
        "body_too_large",
        [("Go to the start", "/")],
    ),
    415: (
        "That form of body is not taken",
        "Send it as this address asks for it, and not compressed.",
        "unsupported_media_type",
        [("Go to the start", "/")],
    ),
    429: (
        "Too many requests",
        "This was asked for more often than the limit allows. Wait a few minutes, then try again.",
        "rate_limited",
        [("Go to the start", "/")],
    ),
    500: (
        "Something failed on our side",
        "The error was noted. Nothing that you typed was accepted; try again in a moment.",
        "internal_error",
        [("Go to the start", "/")],
    ),
    503: (
        "Not available right now",
        "A part of the portal does not answer. It usually takes a minute; try again then.",
        "unavailable",
        [("Go to the start", "/")],
    ),
}

#: Seconds after which to try again.
RETRY_AFTER = {429: 300, 503: 30}


def error_page(
    request: HttpRequest,
    status: int,
    *,
    code: str = "",
    title: str = "",
    message: str = "",
    steps: list[tuple[str, str]] | None = None,
    wait: int = 0,
    without_records: bool = False,
) -> HttpResponse:
    """The answer of `status`; what is not given stands as in ERRORS and RETRY_AFTER.

    `without_records` asks not even who is signed in: the database may be what failed.
    """
    usual_title, usual_message, usual_code, usual_steps = ERRORS[status]
    code, message = code or usual_code, message or usual_message
    response: HttpResponse
    if request.path.startswith("/api/"):
        response = JsonResponse({"error": message, "code": code}, status=status)
    else:
        context = {
            "status": status,
            "title": title or usual_title,
            "message": message,
            "code": code,
            "steps": usual_steps if steps is None else steps,
            "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
        }
        known = None if without_records else request
        page = render_to_string("errors/error.html", context, known)
        response = HttpResponse(page, status=status)
    response["X-Error-Code"] = code
    response["Cache-Control"] = "private, no-store"
    if status in RETRY_AFTER:
        response["Retry-After"] = str(wait or RETRY_AFTER[status])
    return response
