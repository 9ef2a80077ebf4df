"""Change requests in the admin: the list, and a page that describes each."""

from collections.abc import Callable
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from accounts.admin_pages import confirmation
from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.change_requests import eligibility, services
from accounts.change_requests.acts import act_of
from accounts.change_requests.models import ChangeRequest
from accounts.errors import AccountsError
from accounts.users.models import User
from accounts.web.current_user import signed_in

_READERS = "The requester and everyone who may see this request read it; the audit trail stores it"


class DecisionForm(forms.Form):
    """The reason of the second person."""

    reason = confirmation.text(_READERS)


class WithdrawForm(forms.Form):
    """Has no fields: a withdrawal needs no reason."""


class Decision(NamedTuple):
    """A button, its form, and the service that it calls."""

    button: str
    form: type[forms.Form]
    service: Callable[..., object]


_DECISIONS = {
    "confirm": Decision("Confirm and apply", DecisionForm, services.confirm),
    "decline": Decision("Decline", DecisionForm, services.decline),
    "withdraw": Decision("Withdraw", WithdrawForm, services.withdraw),
}


@admin.register(ChangeRequest)
class ChangeRequestAdmin(ReadOnlyAdmin):
    """Requests for the tiers of the user's roles; each page has a form per decision."""

    list_display = ["__str__", "summary", "state", "requester", "created_at", "expires_at"]
    list_filter = ["state"]
    list_select_related = ["requester"]
    date_hierarchy = "created_at"
    change_form_template = "admin/accounts/changerequest/decide.html"
    readonly_fields = ["concerns"]

    @admin.display(description="Change")
    def summary(self, request: ChangeRequest) -> str:
        return act_of(request).describe(request).sentence

    @admin.display(description="Tiers")
    def concerns(self, request: ChangeRequest) -> str:
        return ", ".join(str(tier or "every tier") for tier in eligibility.tiers_of(request))

    def get_fields(self, request: HttpRequest, obj: ChangeRequest | None = None) -> Any:
        fields = ["state", "concerns", "requester", "reason", "created_at", "expires_at"]
        if obj is not None and obj.state == ChangeRequest.State.WAITING:
            return fields
        return [*fields, "decided_by", "decided_at", "outcome"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChangeRequest]:
        found = eligibility.visible_to(signed_in(request))
        return found.select_related("requester", "decided_by").prefetch_related("tiers")

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        change = self.get_object(request, object_id)
        if not self.has_view_permission(request, change):
            return super().change_view(request, object_id, *args, **kwargs)
        by = signed_in(request)
        bound: dict[str, forms.Form] = {}
        if request.method == "POST" and (done := self._decide(request, change, by, bound)):
            return done
        request.method = "GET"  # a refused form is shown on the request's own page
        return super().change_view(request, object_id, extra_context=_page(change, by, bound))

    def _decide(
        self, request: HttpRequest, change: ChangeRequest, by: User, bound: dict[str, forms.Form]
    ) -> HttpResponse | None:
        """Apply the posted decision. Returns None if its form is invalid and must be shown."""
        name = request.POST.get("move", "")
        if name not in _DECISIONS:
            return HttpResponseRedirect(request.path)
        form = bound[name] = _DECISIONS[name].form(request.POST, prefix=name)
        if not form.is_valid():
            return None
        try:
            _DECISIONS[name].service(change, by=by, **form.cleaned_data)
        except AccountsError as error:
            self.message_user(request, f"Nothing was done: {error}.", messages.ERROR)
        else:
            self._report(request, change)
        return HttpResponseRedirect(request.path)

    def _report(self, request: HttpRequest, change: ChangeRequest) -> None:
        if change.state == ChangeRequest.State.SUPERSEDED:
            text = f"Nothing was changed, because {change.outcome}. The request is superseded."
            self.message_user(request, text, messages.WARNING)
            return
        sentence = act_of(change).describe(change).sentence
        text = f"{change.get_state_display()}: {sentence}"
        self.message_user(request, text, messages.SUCCESS)


def _page(change: ChangeRequest, by: User, bound: dict[str, forms.Form]) -> dict[str, Any]:
    """Return the context of a request's page."""
    act = act_of(change)
    waits, own = change.is_waiting, change.requester_id == by.pk
    against = eligibility.reason_against(by, change) if waits else ""
    names = ["withdraw"] if own else [] if against else ["confirm", "decline"]
    return {
        "title": act.title,
        "change": change,
        "described": act.describe(change),
        "facts": act.facts(change, by),
        "obstacle": act.obstacle(change) if waits else "",
        "against": "" if own else against,
        "moves": [
            (name, _DECISIONS[name].button, bound.get(name) or _DECISIONS[name].form(prefix=name))
            for name in (names if waits else [])
        ],
    }
