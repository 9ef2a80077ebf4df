"""Autosave: the form's script posts a step in the background and receives JSON."""

from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from accounts.applications.views.common import sentence
from accounts.errors import AccountsCode, AccountsError


def is_autosave(request: HttpRequest) -> bool:
    return request.headers.get("Accept") == "application/json"


def saved(fingerprint: str, warning: str) -> JsonResponse:
    """Report a saved step; the next save must send `fingerprint` as `seen`."""
    saved_at = f"{timezone.now():%H:%M} UTC"
    return JsonResponse({"seen": fingerprint, "saved_at": saved_at, "warning": warning})


def refused(error: AccountsError) -> JsonResponse:
    return JsonResponse({"error": sentence(error), "code": error.code}, status=409)


def signed_out() -> JsonResponse:
    error = "You are signed out. Press Save: after you sign in, your text is still here."
    return JsonResponse({"error": error, "code": AccountsCode.LOGIN_REQUIRED}, status=401)


def csrf_failed() -> JsonResponse:
    error = "Not saved: you signed in again since. Press Save, then look at your text."
    return JsonResponse({"error": error, "code": AccountsCode.CSRF_FAILED}, status=403)
