"""Applying for a tier, and following an application."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import applications
from accounts.errors import AccountsError, AlreadyHeld, LicenceChanged, TransitionRefused
from accounts.forms import ApplicationForm, excluded
from accounts.history import events_of
from accounts.markdown import to_html
from accounts.models import Application, LicenceVersion, ReasonText, Tier, User
from accounts.models.application.eligibility import refuse_to_apply
from accounts.moves import Status
from accounts.questions import LABELS, answered, readable
from accounts.reasons import waiting_days
from accounts.tiers import AccessMode
from accounts.views.people import signed_in

_FORM_METHODS = ["GET", "HEAD", "POST"]


@dataclass(frozen=True)
class Desk:
    """What the application form is filled in for: a person, a tier, and the text in force."""

    person: User
    tier: Tier
    licence: LicenceVersion
    #: The draft or returned application; None until something is saved.
    application: Application | None

    @property
    def seen_version(self) -> int:
        return self.application.answers_version if self.application else 0

    def form(self, data: Any = None, initial: dict[str, Any] | None = None) -> ApplicationForm:
        return ApplicationForm(
            data, initial=initial or {}, person=self.person, tier=self.tier, licence=self.licence
        )


@require_http_methods(_FORM_METHODS)
def application_create(request: HttpRequest, slug: str) -> HttpResponse:
    """The form for one tier; what is asked can be read before signing in."""
    tier = get_object_or_404(Tier.objects.select_related("licence"), slug=slug)
    licence = tier.licence.in_force()
    if not tier.is_gated or licence is None:
        why = "open" if not tier.is_gated else "no_licence"
        return _refused(request, tier, {"why": why})
    if not request.user.is_authenticated:
        context = {"tier": tier, "licence": licence, "questions": LABELS.values()}
        return render(request, "accounts/application_start.html", context)
    user = signed_in(request)
    standing = applications.standing(user, tier)
    if standing.outdated or tier.access_mode is AccessMode.CLICK_THROUGH:
        return _accept(request, user, tier, licence)
    application = applications.draft_of(user, tier)
    if application is None:
        try:
            refuse_to_apply(user, tier)
        except AlreadyHeld as error:
            if request.method == "POST" and standing.application is not None:
                return redirect("accounts:application-detail", standing.application.public_id)
            return _refused(request, tier, {"why": "held", "error": error, "standing": standing})
        except AccountsError as error:
            return _refused(request, tier, {"why": error.code, "error": error})
    return _form_page(request, Desk(user, tier, licence, application))


@login_required
@require_safe
def application_list(request: HttpRequest) -> HttpResponse:
    mine = Application.objects.filter(applicant=signed_in(request)).select_related("tier")
    context = {
        "applications": mine.order_by("-created_at"),
        "tiers": Tier.objects.exclude(mode=AccessMode.OPEN),
    }
    return render(request, "accounts/application_list.html", context)


@login_required
@require_safe
def application_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    application = _own(request, public_id)
    words = ReasonText.objects.current()
    decisions = [
        {
            "verdict": decision.get_verdict_display(),
            "at": decision.created_at,
            "note": decision.note,
            "reasons": [words[code] for code in decision.reasons],
            "waiting_days": waiting_days(decision.reasons),
        }
        for decision in application.decisions.all()
    ]
    snapshot = application.latest_snapshot
    shown = snapshot.answers if snapshot else application.answers
    context = {
        "application": application,
        "events": events_of(application),
        "decisions": decisions,
        "latest": decisions[-1] if decisions else None,
        "answers": answered(shown),
        "expected_by": application.due_on,
        "grant": getattr(application, "grant", None),
        "can_withdraw": application.status in {Status.SUBMITTED, Status.IN_REVIEW},
        "can_edit": application.status in {Status.DRAFT, Status.RETURNED},
    }
    return render(request, "accounts/application_detail.html", context)


@login_required
@require_POST
def application_withdraw(request: HttpRequest, public_id: str) -> HttpResponse:
    application = _own(request, public_id)
    try:
        reason = request.POST.get("reason", "")[:500]
        application.withdraw(by=signed_in(request), reason=reason)
        messages.success(request, f"{application.reference} is withdrawn.")
    except TransitionRefused as error:
        messages.error(request, _sentence(error))
    return redirect("accounts:application-detail", application.public_id)


def _own(request: HttpRequest, public_id: str) -> Application:
    mine = Application.objects.filter(applicant=signed_in(request))
    related = mine.select_related("tier", "grant").prefetch_related("decisions")
    return get_object_or_404(related, public_id=public_id)


# -- the form -------------------------------------------------------------------------------


def _form_page(request: HttpRequest, desk: Desk) -> HttpResponse:
    if request.method == "POST":
        return _keep(request, desk)
    saved = desk.application.answers if desk.application else {}
    shown = {
        "full_name": desk.person.get_full_name(),
        **saved,
        "licence_accept": False,  # the text is accepted anew with each submission
    }
    form = desk.form(initial=shown)
    return _show(request, desk, form, open_points=_open_points(desk, saved))


def _keep(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Keep what was typed, valid or not; then submit it when that was asked for."""
    form = desk.form(request.POST)
    quiet = request.headers.get("Accept") == "application/json"
    try:
        application = _saved(desk, form)
    except TransitionRefused as error:
        if quiet:
            return JsonResponse({"error": _sentence(error), "code": error.code}, status=409)
        return _conflict(request, desk, form, error)
    except AccountsError as error:
        if quiet:
            return JsonResponse({"error": _sentence(error), "code": error.code}, status=409)
        return _refused(request, desk.tier, {"why": error.code, "error": error})
    desk = Desk(desk.person, desk.tier, desk.licence, application)
    if quiet:
        clock = f"{timezone.now():%H:%M} UTC"
        return JsonResponse({"version": application.answers_version, "saved_at": clock})
    if request.POST.get("action") != "submit":
        messages.success(request, "Your answers are saved as a draft. Nobody else sees it yet.")
        return redirect(request.path)
    if not form.is_valid():
        return _show(request, desk, form, status=422)
    return _submit(request, desk, form)


def _saved(desk: Desk, form: ApplicationForm) -> Application:
    """The application with the typed answers kept.

    The same text saved twice, as a double click does, is no conflict.
    """
    application = desk.application or Application.objects.start(desk.person, desk.tier)
    answers = form.typed()
    if application.answers != answers or application.answers_version == 0:
        seen = form["seen_version"].value()
        seen_version = int(seen) if str(seen).isdecimal() else -1
        application.save_answers(answers, by=desk.person, seen_version=seen_version)
    return application


def _submit(request: HttpRequest, desk: Desk, form: ApplicationForm) -> HttpResponse:
    assert desk.application is not None  # _keep has saved it
    application = desk.application
    try:
        application.submit(by=desk.person, licence_sha256=form.cleaned_data["licence_sha256"])
    except LicenceChanged as error:
        form.add_error("licence_accept", _sentence(error))
    except TransitionRefused:
        pass  # the other click of a double click has submitted it
    except AccountsError as error:
        form.add_error(None, _sentence(error))
    if form.errors:
        return _show(request, desk, form, status=422)
    messages.success(request, f"{application.reference} is submitted. A receipt is on its way.")
    return redirect("accounts:application-detail", application.public_id)


def _conflict(
    request: HttpRequest, desk: Desk, form: ApplicationForm, error: AccountsError
) -> HttpResponse:
    """Another window saved first: show both versions, and let the person choose."""
    application = desk.application or applications.draft_of(desk.person, desk.tier)
    if application is None or application.status not in {Status.DRAFT, Status.RETURNED}:
        messages.error(request, _sentence(error))
        return redirect("accounts:application-list")
    desk = Desk(desk.person, desk.tier, desk.licence, application)
    typed, saved = form.typed(), application.answers
    others = {
        key: readable(key, saved.get(key, "")) or "(empty)"
        for key in LABELS
        if typed.get(key, "") != saved.get(key, "") and key != "licence_accept"
    }
    # Not judged yet: the person first chooses a version.
    return _show(request, desk, desk.form(initial=typed), status=409, others=others)


def _show(
    request: HttpRequest,
    desk: Desk,
    form: ApplicationForm,
    *,
    status: int = 200,
    others: dict[str, str] | None = None,
    open_points: list[tuple[str, str]] | None = None,
) -> HttpResponse:
    """The form page, carrying the newest version number and the text in force."""
    if form.is_bound and "licence_accept" in form.errors:
        sent = request.POST.copy()
        sent.pop("licence_accept", None)
        form.data = sent  # another text is shown now: it takes another tick
    application = desk.application
    returned = application is not None and application.status == Status.RETURNED
    context = {
        "form": form,
        "seen_version": desk.seen_version,
        "tier": desk.tier,
        "licence": desk.licence,
        "licence_text": to_html(desk.licence.text, top=3),
        "application": application,
        "labels": LABELS,
        "others": others or {},
        "open_points": open_points or [],
        "decision": application.decisions.last() if application and returned else None,
        "blocked": excluded(desk.tier).values(),
    }
    return render(request, "accounts/application_form.html", context, status=status)


def _open_points(desk: Desk, saved: dict[str, Any]) -> list[tuple[str, str]]:
    """What still keeps a saved draft from being submitted: key and label."""
    if not saved:
        return []
    form = desk.form({**saved, "seen_version": 0, "licence_sha256": desk.licence.text_sha256})
    form.is_valid()
    return [
        (key, str(form.fields[key].label))
        for key in form.errors
        if key in LABELS and key != "licence_accept"
    ]


# -- other outcomes -------------------------------------------------------------------------


def _accept(request: HttpRequest, user: User, tier: Tier, licence: LicenceVersion) -> HttpResponse:
    """Accept the text alone: click-through tiers, and new versions for holders."""
    error = ""
    if request.method == "POST":
        try:
            if "licence_accept" not in request.POST:
                raise LicenceChanged("tick the box to accept the licence")
            sha256 = request.POST.get("licence_sha256", "")
            applications.accept_licence(user, tier, licence_sha256=sha256)
            messages.success(request, f"You have accepted the licence of {tier}.")
            return redirect("/access/")
        except AlreadyHeld:
            return redirect("/access/")
        except AccountsError as refused:
            error = _sentence(refused)
    elif (standing := applications.standing(user, tier)).grant and not standing.outdated:
        return _refused(request, tier, {"why": "held", "standing": standing})
    context = {
        "tier": tier,
        "licence": licence,
        "licence_text": to_html(licence.text, top=2),
        "error": error,
    }
    status = 422 if error else 200
    return render(request, "accounts/licence_accept.html", context, status=status)


def _refused(request: HttpRequest, tier: Tier, context: dict[str, Any]) -> HttpResponse:
    error = context.get("error")
    sentence = _sentence(error) if isinstance(error, AccountsError) else ""
    status = 200 if context["why"] in {"open", "held"} else 403
    context = {"tier": tier, "sentence": sentence, **context}
    return render(request, "accounts/application_refused.html", context, status=status)


def _sentence(error: AccountsError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
