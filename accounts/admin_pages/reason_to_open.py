"""Parts of admin pages whose changes may open a gate, and then wait for a second person."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html

from accounts import reasons
from accounts.change_requests.models import ChangeRequest
from accounts.errors import AccountsError


class ReasonToOpen(forms.Form):
    """Shows a field for the reason if `opening` returns a text, and hides it otherwise.

    With a single operator nothing waits; the reason then confirms the change.
    """

    opening_reason = forms.CharField(
        label="Reason for the second person",
        required=False,
        max_length=reasons.MOST,
        widget=forms.HiddenInput,
        help_text="Read by those who may confirm it, and stored in the audit trail",
    )

    def opening(self) -> str:
        """Return a description of what the change would open; empty if nothing."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if opening := self.opening():
            field, who = self.fields["opening_reason"], "A second person must confirm it"
            field.widget = forms.Textarea(attrs={"rows": 3, "cols": 60})
            if settings.SINGLE_OPERATOR:
                field.label, field.help_text = "Reason", "Stored in the audit trail"
                who = "No second person confirms it on this portal, and it holds at once"
            if len(cleaned.get("opening_reason", "")) < reasons.LEAST:
                self.add_error("opening_reason", f"{opening} {who}: give a reason, then save.")
        return cleaned


class OpeningAdmin(admin.ModelAdmin):
    """Shows an error of the service that saves, such as too many waiting requests."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except AccountsError as error:  # the transaction of the page was rolled back
            self.message_user(request, f"Nothing was saved: {error}.", messages.ERROR)
            return HttpResponseRedirect(request.path)


def announce_waiting(request: HttpRequest, waiting: ChangeRequest | None) -> None:
    """Show that part of the change waits for a second person, with a link to the request."""
    if waiting is not None:
        text = (
            "The part that opens the gate further was not saved. It waits for a second person "
            'until {} UTC: <a href="{}">{}</a>.'
        )
        ends = f"{waiting.expires_at:%Y-%m-%d %H:%M}"
        link = format_html(text, ends, waiting.path, waiting)
        messages.warning(request, link)
