"""Admin actions on bytes and revisions: withdraw, quarantine, lift. Each asks first."""

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
    """A form that asks before `run` is called for each chosen record; `done` is the report."""

    run: ClassVar[Callable[..., object]]
    done: ClassVar[str]


def reason_field(readers: str, label: str | None = None) -> forms.CharField:
    """A field for a reason, with those who read it as its help text."""
    hint = readers.capitalize()
    return confirmation.text(hint, minimum=reasons.LEAST, maximum=reasons.MOST, label=label)


def recall_field() -> forms.BooleanField:
    return forms.BooleanField(
        label="Call it back",
        required=False,
        help_text="Mail everybody who downloaded it, once, with this reason",
    )


class WithdrawForm(RecordAction):
    run = staticmethod(withdrawal.withdraw)
    name, title, button, done = "withdraw", "Withdraw revisions", "Withdraw", "withdrawn"
    warning = (
        "From the next request on its files are given to nobody, by any link, and its pages say "
        "why. Branches go back to the revision before it; tags keep their name and lead to the "
        "notice. This is for good: publish changed files as a new revision instead."
    )

    reason = reason_field(reasons.PUBLIC)
    recall = recall_field()


class QuarantineForm(RecordAction):
    run = staticmethod(manual_quarantine.hold)
    name, title, button, done = "quarantine", "Quarantine by hand", "Quarantine", "quarantined"
    warning = (
        "From the next request on these bytes are given to nobody, wherever they are used. They "
        "stay so, whatever checks find, until somebody lifts it here."
    )

    reason = reason_field(reasons.PUBLIC)
    recall = recall_field()


class LiftForm(RecordAction):
    run = staticmethod(manual_quarantine.lift)
    name, title, button, done = "lift", "Lift a quarantine", "Verify, and lift if whole", "queued"
    warning = (
        "The bytes are read afresh. If they are what their name says they are served again, and "
        "an open recall of them is closed as repaired; if not they stay where they are."
    )


def act(
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    queryset: models.QuerySet[Any],
    kind: type[RecordAction],
) -> HttpResponse | None:
    """Show the page that asks; once it is answered, apply the action and return to the list."""
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
