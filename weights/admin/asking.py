"""Moves of the admin that ask first: one page with the warning and a reason, then the deed."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.errors import AccountsError
from accounts.models import User
from accounts.views.people import signed_in
from weights import quarantine, withdrawal
from weights.errors import WeightsError
from weights.models import Blob, Revision


class AskedAction(forms.Form):
    """What one move asks; `carry_out` makes it for each record chosen."""

    name: ClassVar[str]
    title: ClassVar[str]
    warning: ClassVar[str]
    button: ClassVar[str]
    done: ClassVar[str]

    def carry_out(self, record: Any, by: User) -> None:
        raise NotImplementedError


def public_reason() -> forms.CharField:
    return forms.CharField(
        min_length=5,
        max_length=withdrawal.REASON_LENGTH,
        help_text="Everybody reads it",
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
    )


def recall_tick() -> forms.BooleanField:
    return forms.BooleanField(
        label="Call it back",
        required=False,
        help_text="Mail everybody who fetched it, once, with this reason",
    )


class WithdrawForm(AskedAction):
    name, title, button, done = "withdraw", "Withdraw revisions", "Withdraw", "withdrawn"
    warning = (
        "From the next request on its files are given to nobody, by any link, and its pages say "
        "why. Branches go back to the revision before it; tags keep their name and lead to the "
        "notice. This is for good: publish changed files as a new revision instead."
    )

    reason = public_reason()
    recall = recall_tick()

    def carry_out(self, record: Revision, by: User) -> None:
        withdrawal.withdraw(record, by=by, **self.cleaned_data)


class QuarantineForm(AskedAction):
    name, title, button, done = "quarantine", "Quarantine by hand", "Quarantine", "quarantined"
    warning = (
        "From the next request on these bytes are given to nobody, wherever they are used. They "
        "stay so, whatever checks find, until somebody lifts it here."
    )

    reason = public_reason()
    recall = recall_tick()

    def carry_out(self, record: Blob, by: User) -> None:
        quarantine.hold(record, by=by, **self.cleaned_data)


class LiftForm(AskedAction):
    name, title, button, done = "lift", "Lift a quarantine", "Verify, and lift if whole", "queued"
    warning = (
        "The bytes are read afresh. If they are what their name says they are served again, and "
        "an open recall of them is closed as repaired; if not they stay where they are."
    )

    def carry_out(self, record: Blob, by: User) -> None:
        quarantine.lift(record, by=by)


def act(
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    queryset: models.QuerySet[Any],
    kind: type[AskedAction],
) -> HttpResponse | None:
    """Show the page that asks; once it is answered, do it and go back to the list."""
    form = kind(request.POST if "confirmed" in request.POST else None)
    if form.is_valid():
        for record in queryset:
            _carry_out(model_admin, request, form, record)
        return None
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": kind.title,
        "form": form,
        "media": model_admin.media + form.media,
        "records": queryset,
        "checkbox": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/weights/act.html", context)


def _carry_out(
    model_admin: admin.ModelAdmin, request: HttpRequest, form: AskedAction, record: Any
) -> None:
    try:
        form.carry_out(record, signed_in(request))
    except (AccountsError, WeightsError) as error:
        model_admin.message_user(request, f"{record}: nothing was done: {error}.", messages.ERROR)
    else:
        model_admin.message_user(request, f"{record}: {form.done}", messages.SUCCESS)
