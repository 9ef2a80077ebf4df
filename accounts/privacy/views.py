"""The privacy page, and erasure of the user's own account."""

from allauth.account.decorators import reauthentication_required
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.applications.models import Application
from accounts.errors import NotAllowed
from accounts.grants.models import Grant
from accounts.privacy import erasure
from accounts.web.current_user import signed_in


@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    """Show the retention periods and their reasons."""
    context = {"draft_days": settings.DRAFT_SILENCE_DAYS}
    return render(request, "accounts/privacy/privacy.html", context)


@login_required
@reauthentication_required
@require_http_methods(["GET", "HEAD", "POST"])
def account_erase(request: HttpRequest) -> HttpResponse:
    """Explain the erasure; a POST that repeats the username performs it."""
    person = signed_in(request)
    typed, error_message, status = request.POST.get("username", ""), "", 200
    if request.method == "POST" and typed != person.username:
        error_message, status = "Type your username exactly as it is shown above.", 422
    elif request.method == "POST":
        try:
            erasure.erase(person, by=person)
        except NotAllowed as error:
            error_message, status = f"{error}", 409
        else:
            logout(request)
            messages.success(request, "Your account is erased. A last mail confirms it.")
            return redirect("weights:home")
    context = {
        "fault": error_message,
        "grants": Grant.objects.live().filter(user=person).select_related("tier"),
        "open_ones": Application.objects.open().filter(applicant=person).select_related("tier"),
    }
    return render(request, "accounts/privacy/account_erase.html", context, status=status)
