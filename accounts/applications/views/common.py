"""Helpers of the views of applications."""

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accounts.applications.drafts import REVIEW, ApplicationDraft
from accounts.applications.models import Application
from accounts.errors import AccountsError
from accounts.users.models import User
from accounts.web.current_user import signed_in


def get_own_application(request: HttpRequest, public_id: str) -> Application:
    """Return the user's application with this id, or raise Http404."""
    own = Application.objects.filter(applicant=signed_in(request))
    related = own.select_related("tier__licence", "form", "grant", "predecessor")
    return get_object_or_404(related, public_id=public_id)


def step_url(application: Application, step: str) -> str:
    """Return the URL of one step, or of the review page."""
    if step == REVIEW:
        return reverse("accounts:application-review", args=[application.public_id])
    return reverse("accounts:application-step", args=[application.public_id, step])


def resume_url(application: Application, person: User) -> str:
    """Return the URL of the first incomplete step of a draft or returned application."""
    return step_url(application, ApplicationDraft(application, person).first_incomplete)


def receipt_note() -> str:
    """Return a sentence that says where to find the receipt of a submission."""
    if settings.MAIL_LEAVES:
        return "A receipt is on its way."
    return "This portal sends no mail: the receipt is on this page, under its history."


def sentence(error: AccountsError) -> str:
    """Return the message of the error with a capital letter and a full stop."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
