"""Helpers of the pages of an application."""

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accounts.applications.drafts import REVIEW
from accounts.applications.models import Application
from accounts.errors import AccountsError
from accounts.web.current_user import signed_in


def own(request: HttpRequest, public_id: str) -> Application:
    """Return the signed-in person's application; 404 for any other."""
    mine = Application.objects.filter(applicant=signed_in(request))
    related = mine.select_related("tier__licence", "form", "grant")
    return get_object_or_404(related, public_id=public_id)


def address_of(application: Application, step: str) -> str:
    """Return the URL path of one step, or of the review page."""
    if step == REVIEW:
        return reverse("accounts:application-review", args=[application.public_id])
    return reverse("accounts:application-step", args=[application.public_id, step])


def sentence(error: AccountsError) -> str:
    """Return the error as a sentence with a capital and a full stop."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
