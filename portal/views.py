"""Health checks, security.txt and error pages."""

import sys
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.templatetags.static import static
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.background.outages import DATABASE_ERRORS
from accounts.errors import AccountsCode
from accounts.users import throttling
from accounts.web.error_pages import HOME, error_page
from portal.health import readiness

#: How long security.txt is valid (RFC 9116 recommends less than a year).
SECURITY_TXT_LIFE = timedelta(days=90)


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Liveness: return 200 without checking the database or the broker."""
    return _plain("ok")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Readiness: return 200 if the database, static files and store can be used, else 503."""
    if parts := readiness.unready():
        return _plain(f"not ready: {', '.join(parts)}", status=503)
    return _plain("ready")


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Redirect requests for the icon at its traditional path."""
    return HttpResponseRedirect(static("img/favicon.ico"))


@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Contacts for vulnerability reports (RFC 9116); 404 if none is set."""
    if not settings.SECURITY_CONTACT:
        return error_page(request, 404)
    ends = (timezone.now() + SECURITY_TXT_LIFE).replace(hour=0, minute=0, second=0)
    lines = [f"Contact: {contact}" for contact in settings.SECURITY_CONTACT]
    lines.append(f"Expires: {ends:%Y-%m-%dT%H:%M:%SZ}")
    if settings.SECURITY_POLICY_URL:
        lines.append(f"Policy: {settings.SECURITY_POLICY_URL}")
    lines.append("Preferred-Languages: en")
    lines.append(f"Canonical: {settings.PUBLIC_URL}{request.path}")
    return HttpResponse(
        "".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8"
    )


def always_not_found(request: HttpRequest) -> HttpResponse:
    """Return 404 for paths that a later URL pattern would match."""
    return error_page(request, 404)


def _plain(text: str, status: int = 200) -> HttpResponse:
    response = HttpResponse(f"{text}\n", content_type="text/plain; charset=utf-8", status=status)
    response["Cache-Control"] = "no-store"
    return response


# -- errors ---------------------------------------------------------------------------------


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 413 if isinstance(exception, RequestDataTooBig) else 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return 403 for a missing or invalid CSRF token, because of an old page or no cookies."""
    return error_page(
        request,
        403,
        code=AccountsCode.CSRF_FAILED,
        title="This form is no longer valid",
        message="The page was open for too long, or your browser blocks cookies. "
        "Go back, reload the page and send it again.",
        steps=[HOME],
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 404)


def too_many(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_page(request, 429, wait=throttling.retry_after(request))


def server_error(request: HttpRequest) -> HttpResponse:
    """Return 500, or 503 if the database is unavailable; called while handling the error."""
    if isinstance(sys.exception(), DATABASE_ERRORS):
        return error_page(request, 503, without_database=True)
    return error_page(request, 500)
