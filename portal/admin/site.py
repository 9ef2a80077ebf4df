"""The admin site: allauth's sign-in, a second factor for staff, the health page."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from allauth.account.decorators import secure_admin_login
from django.contrib import messages
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, resolve

from accounts.roles.tier_scoped_admin import tiers_of
from accounts.users import reauthentication
from accounts.users.models import User
from accounts.users.second_factor import has_required_second_factor
from accounts.web.current_user import signed_in
from portal.admin import front_page
from portal.admin.guards import guarded
from portal.health import findings


def _health(request: HttpRequest) -> list[findings.Line]:
    lines = findings.lines(tiers_of(signed_in(request)))
    return [
        line if _may_open(request, line.address) else replace(line, address="") for line in lines
    ]


def _may_open(request: HttpRequest, address: str) -> bool:
    """False without an address, and for an admin page that this person may not open."""
    if not address:
        return False
    # Django sets `model_admin` on the views of a ModelAdmin.
    page = getattr(resolve(urlsplit(address).path).func, "model_admin", None)
    return page is None or page.has_view_or_change_permission(request)


class PortalAdminSite(AdminSite):
    site_header = site_title = "Weighbridge"
    index_title = "Needs attention"

    def has_permission(self, request: HttpRequest) -> bool:
        """True for active, unsuspended staff with a second factor, signed in within 12 hours."""
        user = request.user
        if not super().has_permission(request) or getattr(user, "suspended_at", None):
            return False
        if not reauthentication.may_use_admin(request):
            return False
        return isinstance(user, User) and has_required_second_factor(user)

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register with guards against malformed input, also pages of other packages."""
        super().register(model_or_iterable, guarded(admin_class or ModelAdmin), **options)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Add the health page; remove `view_on_site`, which reveals that a row exists."""
        health_page = path("health/", self.admin_view(self.health), name="health")
        others = [url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"]
        return [health_page, *others]

    def health(self, request: HttpRequest) -> HttpResponse:
        """The health page, for all staff."""
        context = {**self.each_context(request), "title": "Health", "health": _health(request)}
        return TemplateResponse(request, "admin/health.html", context)

    def index(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """The first page: what is wrong, the reader's work, then Django's index."""
        lines = findings.lines(tiers_of(signed_in(request)))
        readable = [line for line in lines if not line.address or _may_open(request, line.address)]
        context = front_page.context(signed_in(request), readable)
        return super().index(request, {**context, **(extra_context or {})})

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Use allauth's page, which has rate limits, an audit event and a mail."""
        return redirect("account_change_password")

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Require a new sign-in after twelve hours, and redirect staff without a second factor."""
        if super().has_permission(request) and not reauthentication.may_use_admin(request):
            logout(request)
            messages.info(request, "The admin asks staff to sign in again after twelve hours.")
        if super().has_permission(request) and not self.has_permission(request):
            messages.warning(request, "Staff need a second factor: set one up, then come back.")
            return redirect("mfa_index")
        page: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return page
