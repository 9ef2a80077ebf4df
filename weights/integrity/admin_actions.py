"""Admin actions on blobs and revisions: withdraw, quarantine, lift. Each needs confirmation."""

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse

from accounts.admin_pages import confirmation
from accounts.errors import AccountsError
from accounts.web.current_user import signed_in
from weights.errors import WeightsError
from weights.integrity import manual_quarantine, reasons
from weights.publishing import withdrawal


class RecordAction(confirmation.ConfirmationForm):
    """A form that confirms an action; `run` is called for each record, `done` is the message."""

    run: ClassVar[Callable[..., object]]
    done: ClassVar[str]


def reason_field(readers: str, label: str | None = None) -> forms.CharField:
    """A field for a reason; its help text names the readers."""
    hint = readers.capitalize()
    return confirmation.text(hint, minimum=reasons.LEAST, maximum=reasons.MOST, label=label)


def recall_field() -> forms.BooleanField:
    return forms.BooleanField(
        label="Recall",
        required=False,
        help_text="Mail everybody who downloaded it, once, with this reason",
    )


class WithdrawForm(RecordAction):
    run = staticmethod(withdrawal.withdraw)
    name, title, button, done = "withdraw", "Withdraw revisions", "Withdraw", "withdrawn"
    warning = (
        "From the next request on, its files are no longer served, by any link, and its pages "
        "show the reason. Branches go back to the previous revision; tags keep leading to the "
        "notice. This cannot be undone: publish changed files as a new revision instead."
    )

    reason = reason_field(reasons.PUBLIC)
    recall = recall_field()


class QuarantineForm(RecordAction):
    run = staticmethod(manual_quarantine.hold)
    name, title, button, done = "quarantine", "Quarantine manually", "Quarantine", "quarantined"
    warning = (
        "From the next request on, these bytes are no longer served, wherever they are used. "
        "They stay in quarantine, whatever checks find, until somebody lifts it on this page."
    )

    reason = reason_field(reasons.PUBLIC)
    recall = recall_field()


class LiftForm(RecordAction):
    run = staticmethod(manual_quarantine.lift)
    name, title, button, done = "lift", "Lift a quarantine", "Verify, and lift if intact", "queued"
    warning = (
        "The bytes are read again. If they match their SHA-256, they are served again and an "
        "open recall of them is closed as repaired. Otherwise they stay in quarantine."
    )


def act(
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    queryset: models.QuerySet[Any],
    kind: type[RecordAction],
) -> HttpResponse | None:
    """Show the confirmation page; once confirmed, apply the action and return to the list."""
    form = confirmation.bind(kind, request)
    if not form.is_valid():
        return confirmation.render(model_admin, request, form, queryset)
    for record in queryset:
        _apply(model_admin, request, form, record)
    return None


def _apply(
    model_admin: admin.ModelAdmin, request: HttpRequest, form: RecordAction, record: Any
) -> None:
    try:
        form.run(record, by=signed_in(request), **form.cleaned_data)
    except (AccountsError, WeightsError) as error:
        model_admin.message_user(request, f"{record}: nothing was done: {error}.", messages.ERROR)
    else:
        model_admin.message_user(request, f"{record}: {form.done}", messages.SUCCESS)
