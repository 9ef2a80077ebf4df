"""URLs of the reviewers' desk."""

from django.urls import reverse

from accounts.applications.models import Application


def page_of(application: Application) -> str:
    return reverse("admin:accounts_application_change", args=[application.pk])


def button_of(application: Application, action: str) -> str:
    return reverse("admin:accounts_application_decide", args=[application.pk, action])
