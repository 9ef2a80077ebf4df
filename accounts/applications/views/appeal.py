"""The applicant's appeal against a rejection."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.applications.views.common import get_own_application, receipt_note, sentence
from accounts.applications.views.detail import render_detail
from accounts.applications.workflow import appeals
from accounts.errors import AccountsError
from accounts.web.current_user import signed_in


@login_required
@require_POST
def application_appeal(request: HttpRequest, public_id: str) -> HttpResponse:
    """Appeal; if refused, show the page again with the text."""
    application = get_own_application(request, public_id)
    text = request.POST.get("text", "").replace("\r\n", "\n")
    try:
        made = appeals.appeal(application, text, by=signed_in(request))
    except AccountsError as error:
        made_before = appeals.of(application)
        if made_before is not None:  # the second click of a double click
            return redirect("accounts:application-detail", made_before.public_id)
        more = {"appeal_text": text, "appeal_error": sentence(error)}
        return render_detail(request, application, status=422, **more)
    messages.success(request, f"Your appeal {made.reference} is submitted. {receipt_note()}")
    return redirect("accounts:application-detail", made.public_id)
