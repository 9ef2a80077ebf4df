"""What is done to bytes by hand: withdraw, quarantine, lift; each asked first, with a reason."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse

from accounts.admin_pages import confirmation
from accounts.errors import AccountsError
from accounts.users.models import User
from accounts.web.current_user import signed_in
from weights.errors import WeightsError
from weights.integrity import quarantine, reasons
from weights.publishing import withdrawal
from weights.publishing.models import Revision
from weights.storage.models import Blob


class ByHand(confirmation.AskedAction):
    """What one move asks; `carry_out` makes it for each record chosen, `done` tells of it."""

    done: ClassVar[str]

    def carry_out(self, record: Any, by: User) -> None:
        raise NotImplementedError


def why(readers: str, label: str | None = None) -> forms.CharField:
    told = readers.capitalize()
    return confirmation.text(told, least=reasons.LEAST, most=reasons.MOST, label=label)


def recall_tick() -> forms.BooleanField:
    return forms.BooleanField(
        label="Call it back",
        required=False,
        help_text="Mail everybody who fetched it, once, with this reason",
    )


class WithdrawForm(ByHand):
    name, title, button, done = "withdraw", "Withdraw revisions", "Withdraw", "withdrawn"
    warning = (
        "From the next request on its files are given to nobody, by any link, and its pages say "
        "why. Branches go back to the revision before it; tags keep their name and lead to the "
        "notice. This is for good: publish changed files as a new revision instead."
    )

    reason = why(reasons.PUBLIC)
    recall = recall_tick()

    def carry_out(self, record: Revision, by: User) -> None:
        withdrawal.withdraw(record, by=by, **self.cleaned_data)


class QuarantineForm(ByHand):
    name, title, button, done = "quarantine", "Quarantine by hand", "Quarantine", "quarantined"
    warning = (
        "From the next request on these bytes are given to nobody, wherever they are used. They "
        "stay so, whatever checks find, until somebody lifts it here."
    )

    reason = why(reasons.PUBLIC)
    recall = recall_tick()

    def carry_out(self, record: Blob, by: User) -> None:
        quarantine.hold(record, by=by, **self.cleaned_data)


class LiftForm(ByHand):
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
    kind: type[ByHand],
) -> HttpResponse | None:
    """Show the page that asks; once it is answered, do it and go back to the list."""
    form = confirmation.answered(kind, request)
    if not form.is_valid():
        return confirmation.page(model_admin, request, form, queryset)
    for record in queryset:
        _carry_out(model_admin, request, form, record)
    return None


def _carry_out(
    model_admin: admin.ModelAdmin, request: HttpRequest, form: ByHand, record: Any
) -> None:
    try:
        form.carry_out(record, signed_in(request))
    except (AccountsError, WeightsError) as error:
        model_admin.message_user(request, f"{record}: nothing was done: {error}.", messages.ERROR)
    else:
        model_admin.message_user(request, f"{record}: {form.done}", messages.SUCCESS)
