"""The start page: a tier's questions and the country of work, or why nobody can apply."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from accounts.applications import services
from accounts.applications.forms import CountryForm
from accounts.applications.views.common import resume_url, sentence, step_url
from accounts.applications.workflow.eligibility import refuse_to_apply
from accounts.errors import AccountsCode, AccountsError, AlreadyHeld, LicenceChanged
from accounts.tiers import precheck
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import LicenceVersion, Tier
from accounts.tiers.views import question_labels
from accounts.users.models import User
from accounts.web.current_user import signed_in
from accounts.web.markdown import to_html
from accounts.web.text_diff import diff_excerpts


@require_http_methods(["GET", "HEAD", "POST"])
def application_create(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the questions of a tier to anyone; POST starts an application."""
    tier = get_object_or_404(Tier.objects.select_related("licence"), slug=slug)
    licence = tier.licence_in_force()
    if not tier.is_gated or licence is None:
        return _refused(request, tier, {"why": "no_licence" if tier.is_gated else "open"})
    if not request.user.is_authenticated:
        if tier.retired_at:
            return _refused(request, tier, {"why": AccountsCode.TIER_RETIRED})
        return _start_page(request, tier, None)
    user = signed_in(request)
    access = services.access_status(user, tier)
    if tier.retired_at and access.grant is None:
        return _refused(request, tier, {"why": AccountsCode.TIER_RETIRED})
    if access.outdated or tier.access_mode is AccessMode.CLICK_THROUGH:
        return _accept(request, user, tier, licence)
    application = services.draft_of(user, tier)
    if application is not None:
        return redirect(resume_url(application, user))
    try:
        refuse_to_apply(user, tier)
    except AlreadyHeld as error:
        return _refused(request, tier, {"why": "held", "error": error, "access": access})
    except AccountsError as error:
        return _refused(request, tier, {"why": error.code, "error": error})
    return _begin(request, user, tier)


def _begin(request: HttpRequest, user: User, tier: Tier) -> HttpResponse:
    """Ask for the country first, so that nobody fills in an application that must be rejected."""
    if request.method != "POST":
        return _start_page(request, tier, CountryForm(tier=tier))
    form = CountryForm(request.POST, tier=tier)
    if not form.is_valid():
        return _start_page(request, tier, form, status=422)
    try:
        draft = services.begin(user, tier, country=form.cleaned_data["country"])
    except AccountsError as error:
        return _refused(request, tier, {"why": error.code, "error": error})
    return redirect(step_url(draft, "you"))


def _start_page(
    request: HttpRequest, tier: Tier, form: CountryForm | None, *, status: int = 200
) -> HttpResponse:
    context = {
        "tier": tier,
        "questions": question_labels(tier),
        "blocked": tier.excluded_countries.values(),
        "findings": precheck.notices(tier),
        "form": form,
        "answer_days": settings.ANSWER_DAYS,
    }
    return render(request, "accounts/applications/application_start.html", context, status=status)


# -- other outcomes -------------------------------------------------------------------------


def _accept(request: HttpRequest, user: User, tier: Tier, licence: LicenceVersion) -> HttpResponse:
    """Accept a licence without an application: on a click-through tier, or a new version."""
    error = ""
    if request.method == "POST":
        try:
            if "licence_accept" not in request.POST:
                raise LicenceChanged("tick the box to accept the licence")
            sha256 = request.POST.get("licence_sha256", "")
            services.accept_licence(user, tier, licence_sha256=sha256)
            messages.success(request, f"You have accepted the licence of {tier}.")
            return redirect("weights:access")
        except AlreadyHeld:
            return redirect("weights:access")
        except AccountsError as refused:
            error = sentence(refused)
    access = services.access_status(user, tier)
    if request.method != "POST" and access.grant and not access.outdated:
        return _refused(request, tier, {"why": "held", "access": access})
    before = access.grant.licence_version if access.grant else None
    context = {
        "tier": tier,
        "licence": licence,
        "licence_text": to_html(licence.text, top=2),
        "grant": access.grant,
        "before": before,
        "ends": licence.notice_ends_since(tier.licence_since),
        "changes": diff_excerpts(before.text, licence.text) if before else [],
        "error": error,
    }
    status = 422 if error else 200
    return render(request, "accounts/tiers/licence_accept.html", context, status=status)


def _refused(request: HttpRequest, tier: Tier, context: dict[str, Any]) -> HttpResponse:
    error = context.get("error")
    message = sentence(error) if isinstance(error, AccountsError) else ""
    status = 200 if context["why"] in {"open", "held"} else 403
    context = {"tier": tier, "sentence": message, **context}
    return render(request, "accounts/applications/application_refused.html", context, status=status)
