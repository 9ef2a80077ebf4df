"""Admin actions that call a service for each selected record, after confirmation."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst

from accounts.admin_pages import confirmation
from accounts.errors import DomainError, RecentAuthenticationRequired
from accounts.web.current_user import signed_in


class RecordAction(confirmation.ConfirmationForm):
    """A form that confirms an action; `run` is called for each record, `done` is the message."""

    run: ClassVar[Callable[..., object]]
    done: ClassVar[str]


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
    # Django's page capitalises messages, so none begins with a name.
    try:
        form.run(record, by=signed_in(request), **form.cleaned_data)
    except RecentAuthenticationRequired:
        raise
    except DomainError as error:
        model_admin.message_user(request, f"Nothing was done to {record}: {error}.", messages.ERROR)
    else:
        model_admin.message_user(request, f"{capfirst(form.done)}: {record}", messages.SUCCESS)
