"""The four steps of the form: kept as typed, whatever is missing; nothing here submits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import BoundField
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts.applications import organisations, services
from accounts.applications.custom_questions import Extra
from accounts.applications.documents.models import Attachment
from accounts.applications.drafts import REVIEW, Filling, answer_name, save_step
from accounts.applications.models import Application
from accounts.applications.questions import CONDITIONS, LABELS, STEPS
from accounts.applications.views.common import address_of, own, sentence
from accounts.applications.views.interrupted import refusal, signed_out, taken_up
from accounts.applications.workflow import submission
from accounts.errors import AccountsError, StaleAnswers
from accounts.review.models import Remark
from accounts.tiers.models import LicenceVersion
from accounts.tiers.precheck import Weight
from accounts.web import text_diff
from accounts.web.current_user import signed_in
from accounts.web.markdown import to_html

ORDER = [*STEPS, REVIEW]


@dataclass
class Asked:
    """One question of a step as the page shows it."""

    field: BoundField
    extra: Extra | None
    remarks: list["Said"]
    documents: list[Attachment]
    #: What another window saved, where it differs.
    other: str
    #: What the tier's terms of use say of the answer.
    notes: list[str]

    @property
    def if_key(self) -> str:
        """The question that this one waits for, by which scripts hide it; empty for none."""
        return self.extra.if_key if self.extra else CONDITIONS.get(self.field.name, ("", ""))[0]

    @property
    def if_value(self) -> str:
        return self.extra.if_value if self.extra else CONDITIONS.get(self.field.name, ("", ""))[1]


@dataclass
class Said:
    """A reviewer's remark, the name of its answer, and what is in it now."""

    remark: Remark
    name: str
    text: str


@csrf_exempt  # looked at below, so as not to lose what was typed
@require_http_methods(["GET", "HEAD", "POST"])
def application_step(request: HttpRequest, public_id: str, step: str) -> HttpResponse:
    """One step; a save goes on to where the button says, even with gaps."""
    if step not in STEPS:
        raise Http404(f"the form has no step {step!r}")
    refused = refusal(request)
    if not request.user.is_authenticated:
        return refused or signed_out(request)
    application = own(request, public_id)
    filling = Filling(application, signed_in(request))
    if refused is not None:
        return _show_unproven(request, filling, step)
    if request.method == "POST":
        return _keep(request, filling, step, request.POST)
    if (sent := taken_up(request)) is not None:
        messages.success(request, "You are signed in again; what you had typed is not lost.")
        return _keep(request, filling, step, sent)
    if not application.is_editable:
        return redirect("accounts:application-detail", application.public_id)
    return _show(request, filling, step)


@login_required
@require_POST
def application_adopt(request: HttpRequest, public_id: str) -> HttpResponse:
    """Take the tier's questions as they stand now into a draft."""
    application = own(request, public_id)
    try:
        submission.adopt_questions(application, by=signed_in(request))
    except AccountsError as error:
        messages.error(request, sentence(error))
        return redirect("accounts:application-detail", application.public_id)
    messages.success(request, "The form asks the new questions now. Every answer is kept.")
    return redirect(address_of(application, Filling(application, signed_in(request)).first_open))


# -- saving ---------------------------------------------------------------------------------


def _keep(request: HttpRequest, filling: Filling, step: str, sent: QueryDict) -> HttpResponse:
    quiet = request.headers.get("Accept") == "application/json"
    seen, keep = sent.get("seen", ""), sent.getlist("keep_saved")
    try:
        application = save_step(filling, step, sent, seen=str(seen), keep=keep)
    except StaleAnswers as error:
        if quiet:
            return _told_quietly(error)
        return _show(request, filling, step, typed=filling.typed(step, sent), status=409)
    except AccountsError as error:
        if quiet:
            return _told_quietly(error)
        messages.error(request, sentence(error))
        return redirect("accounts:application-detail", filling.application.public_id)
    cut = filling.cut(step, sent)
    if quiet:
        kept = Filling(application, filling.person)
        clock = f"{timezone.now():%H:%M} UTC"
        return JsonResponse({"seen": kept.seen(step), "saved_at": clock, "warning": cut})
    if cut:
        messages.warning(request, cut)
    return redirect(_next(application, step, str(sent.get("go", "next"))))


def _show_unproven(request: HttpRequest, filling: Filling, step: str) -> HttpResponse:
    """Nothing is saved: what was sent stands in a form that can be."""
    if request.headers.get("Accept") == "application/json":
        error = "Not saved: you signed in again since. Press Save, then look at your text."
        return JsonResponse({"error": error, "code": "csrf_failed"}, status=403)
    if not filling.application.is_editable:
        return redirect("accounts:application-detail", filling.application.public_id)
    typed = filling.typed(step, request.POST)
    return _show(request, filling, step, typed=typed, status=403)


def _told_quietly(error: AccountsError) -> HttpResponse:
    return JsonResponse({"error": sentence(error), "code": error.code}, status=409)


def _next(application: Application, step: str, go: str) -> str:
    """Where the button leads: on, back, to a step, to a document's page, or nowhere."""
    place = ORDER.index(step)
    if go.startswith("document:") and go.removeprefix("document:") in application.form.labels():
        question = go.removeprefix("document:")
        return reverse("accounts:document-add", args=[application.public_id, question])
    target = {"next": ORDER[place + 1], "back": ORDER[max(place - 1, 0)], "stay": step}.get(go, go)
    return address_of(application, target if target in ORDER else step)


# -- showing --------------------------------------------------------------------------------


def _show(
    request: HttpRequest,
    filling: Filling,
    step: str,
    *,
    typed: Mapping[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of a step; `typed` is what a stale window holds, shown beside what is saved."""
    application = filling.application
    strict = "check" in request.GET
    context = {
        "application": application,
        "tier": application.tier,
        "step": step,
        "title": STEPS[step][0],
        "number": ORDER.index(step) + 1,
        "steps": filling.steps,
        "seen": filling.seen(step),
        "asked": _asked(filling, step, typed, strict=strict),
        "is_stale": typed is not None and status == 409,
        "is_unproven": typed is not None and status == 403,
        "organisations": organisations.well_known() if step == "you" else [],
        "may_adopt": services.may_adopt(application),
        "answer_days": settings.ANSWER_DAYS,
    }
    if step == "terms":
        context |= _terms(filling)
    return render(request, "accounts/applications/application_form.html", context, status=status)


def _asked(
    filling: Filling, step: str, typed: Mapping[str, Any] | None, *, strict: bool
) -> list[Asked]:
    form, said = filling.form, dict(typed or {})
    others = filling.differences(step, said) if typed is not None else {}
    if typed is not None:
        form = filling.judged({**filling.application.answers, **_blank(filling, step), **said})
    else:
        _soften(form, strict=strict)
    if "licence_accept" in form.errors:  # another text is shown now: it takes another tick
        form.data = {key: form.data[key] for key in form.data if key != "licence_accept"}
    on_fields: dict[str, list[Said]] = {}
    for remark in filling.remarks_on(step):
        name = answer_name(remark)
        one = Said(remark, name, str(said.get(name, "") if typed is not None else remark.answer))
        on_fields.setdefault(remark.field, []).append(one)
    return [
        Asked(
            form[key],
            form.extras.get(key),
            on_fields.get(key, []),
            filling.documents.get(key, []),
            others.get(key, ""),
            filling.notes_on(key),
        )
        for key in filling.keys(step)
    ]


def _blank(filling: Filling, step: str) -> dict[str, str]:
    return dict.fromkeys(filling.keys(step), "")


def _soften(form: Any, *, strict: bool) -> None:
    """Until somebody asks to submit, an answer not given yet is no error."""
    for key in list(form.errors):
        if not strict and form.data.get(key) in (None, "", [], False):
            del form.errors[key]


def _terms(filling: Filling) -> dict[str, Any]:
    """The text in force, and what changed since the one that was read and accepted."""
    licence = filling.licence
    if licence is None:
        return {"licence": None}
    read = _read_before(filling, licence)
    return {
        "licence": licence,
        "licence_text": to_html(licence.text, top=2),
        "duties": [one for one in filling.findings if one.weight == Weight.DUTY],
        "read_version": read,
        "changes": text_diff.diff_excerpts(read.text, licence.text) if read else [],
    }


def _read_before(filling: Filling, in_force: LicenceVersion) -> LicenceVersion | None:
    sha256 = filling.application.answers.get("licence_sha256")
    if not sha256 or sha256 == in_force.text_sha256:
        return None
    return filling.application.tier.licence.versions.filter(text_sha256=sha256).first()


def short_labels(filling: Filling) -> dict[str, str]:
    """What each question is called in lists: shorter than on the form."""
    return {**LABELS, **{extra.key: extra.label for extra in filling.extras}}
