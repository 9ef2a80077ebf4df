"""The four steps of the form: answers are saved as typed, even incomplete."""

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
from accounts.applications.drafts import REVIEW, ApplicationDraft, answer_name, save_step
from accounts.applications.models import Application
from accounts.applications.questions import CONDITIONS, LABELS, STEPS
from accounts.applications.views.common import address_of, own, sentence
from accounts.applications.views.interrupted import pop_stored, refusal, signed_out
from accounts.applications.workflow import submission
from accounts.errors import AccountsCode, AccountsError, StaleAnswers
from accounts.review.models import Remark
from accounts.tiers.models import LicenceVersion
from accounts.tiers.precheck import Weight
from accounts.web import text_diff
from accounts.web.current_user import signed_in
from accounts.web.markdown import to_html

ORDER = [*STEPS, REVIEW]


@dataclass
class QuestionRow:
    """One question of a step as the page shows it."""

    field: BoundField
    extra: Extra | None
    remarks: list["RemarkRow"]
    documents: list[Attachment]
    #: The text that another window saved, where it differs.
    other: str
    #: The findings of the tier's terms of use about the answer.
    notes: list[str]

    @property
    def if_key(self) -> str:
        """The question that this one depends on, for scripts to hide it; empty for none."""
        return self.extra.if_key if self.extra else CONDITIONS.get(self.field.name, ("", ""))[0]

    @property
    def if_value(self) -> str:
        return self.extra.if_value if self.extra else CONDITIONS.get(self.field.name, ("", ""))[1]


@dataclass
class RemarkRow:
    """A reviewer's remark, the form field of its answer, and the text in it."""

    remark: Remark
    name: str
    text: str


@csrf_exempt  # checked by `refusal`, which does not lose the typed text
@require_http_methods(["GET", "HEAD", "POST"])
def application_step(request: HttpRequest, public_id: str, step: str) -> HttpResponse:
    """Show or save one step; a save redirects where the button says, even if incomplete."""
    if step not in STEPS:
        raise Http404(f"the form has no step {step!r}")
    refused = refusal(request)
    if not request.user.is_authenticated:
        return refused or signed_out(request)
    application = own(request, public_id)
    draft = ApplicationDraft(application, signed_in(request))
    if refused is not None:
        return _show_unsaved(request, draft, step)
    if request.method == "POST":
        return _save(request, draft, step, request.POST)
    if (sent := pop_stored(request)) is not None:
        messages.success(request, "You are signed in again; what you had typed is not lost.")
        return _save(request, draft, step, sent)
    if not application.is_editable:
        return redirect("accounts:application-detail", application.public_id)
    return _show(request, draft, step)


@login_required
@require_POST
def application_adopt(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give a draft the tier's current questions."""
    application = own(request, public_id)
    try:
        submission.adopt_questions(application, by=signed_in(request))
    except AccountsError as error:
        messages.error(request, sentence(error))
        return redirect("accounts:application-detail", application.public_id)
    messages.success(request, "The form asks the new questions now. Every answer is kept.")
    return redirect(
        address_of(application, ApplicationDraft(application, signed_in(request)).first_open)
    )


# -- saving ---------------------------------------------------------------------------------


def _save(
    request: HttpRequest, draft: ApplicationDraft, step: str, sent: QueryDict
) -> HttpResponse:
    quiet = request.headers.get("Accept") == "application/json"
    seen, keep = sent.get("seen", ""), sent.getlist("keep_saved")
    try:
        application = save_step(draft, step, sent, seen=str(seen), keep=keep)
    except StaleAnswers as error:
        if quiet:
            return _json_error(error)
        return _show(request, draft, step, typed=draft.typed(step, sent), status=409)
    except AccountsError as error:
        if quiet:
            return _json_error(error)
        messages.error(request, sentence(error))
        return redirect("accounts:application-detail", draft.application.public_id)
    cut = draft.truncation_warning(step, sent)
    if quiet:
        saved = ApplicationDraft(application, draft.person)
        clock = f"{timezone.now():%H:%M} UTC"
        return JsonResponse({"seen": saved.fingerprint(step), "saved_at": clock, "warning": cut})
    if cut:
        messages.warning(request, cut)
    return redirect(_next(application, step, str(sent.get("go", "next"))))


def _show_unsaved(request: HttpRequest, draft: ApplicationDraft, step: str) -> HttpResponse:
    """Save nothing, since the CSRF check failed; show what was sent in a form that can be saved."""
    if request.headers.get("Accept") == "application/json":
        error = "Not saved: you signed in again since. Press Save, then look at your text."
        return JsonResponse({"error": error, "code": AccountsCode.CSRF_FAILED}, status=403)
    if not draft.application.is_editable:
        return redirect("accounts:application-detail", draft.application.public_id)
    typed = draft.typed(step, request.POST)
    return _show(request, draft, step, typed=typed, status=403)


def _json_error(error: AccountsError) -> HttpResponse:
    return JsonResponse({"error": sentence(error), "code": error.code}, status=409)


def _next(application: Application, step: str, go: str) -> str:
    """Return where the button leads: next, back, a step, a document's page, or the same step."""
    place = ORDER.index(step)
    if go.startswith("document:") and go.removeprefix("document:") in application.form.labels():
        question = go.removeprefix("document:")
        return reverse("accounts:document-add", args=[application.public_id, question])
    target = {"next": ORDER[place + 1], "back": ORDER[max(place - 1, 0)], "stay": step}.get(go, go)
    return address_of(application, target if target in ORDER else step)


# -- showing --------------------------------------------------------------------------------


def _show(
    request: HttpRequest,
    draft: ApplicationDraft,
    step: str,
    *,
    typed: Mapping[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render a step; `typed` is the text of a stale window, shown beside the saved one."""
    application = draft.application
    strict = "check" in request.GET
    context = {
        "application": application,
        "tier": application.tier,
        "step": step,
        "title": STEPS[step][0],
        "number": ORDER.index(step) + 1,
        "steps": draft.steps,
        "seen": draft.fingerprint(step),
        "asked": _asked(draft, step, typed, strict=strict),
        "is_stale": typed is not None and status == 409,
        "is_unproven": typed is not None and status == 403,
        "organisations": organisations.well_known() if step == "you" else [],
        "may_adopt": services.may_adopt(application),
        "answer_days": settings.ANSWER_DAYS,
    }
    if step == "terms":
        context |= _terms(draft)
    return render(request, "accounts/applications/application_form.html", context, status=status)


def _asked(
    draft: ApplicationDraft, step: str, typed: Mapping[str, Any] | None, *, strict: bool
) -> list[QuestionRow]:
    form, said = draft.form, dict(typed or {})
    others = draft.differences(step, said) if typed is not None else {}
    if typed is not None:
        form = draft.validated({**draft.application.answers, **_blank(draft, step), **said})
    else:
        _soften(form, strict=strict)
    if "licence_accept" in form.errors:  # another text is shown now: it takes another tick
        form.data = {key: form.data[key] for key in form.data if key != "licence_accept"}
    on_fields: dict[str, list[RemarkRow]] = {}
    for remark in draft.remarks_on(step):
        name = answer_name(remark)
        one = RemarkRow(
            remark, name, str(said.get(name, "") if typed is not None else remark.answer)
        )
        on_fields.setdefault(remark.field, []).append(one)
    return [
        QuestionRow(
            form[key],
            form.extras.get(key),
            on_fields.get(key, []),
            draft.documents.get(key, []),
            others.get(key, ""),
            draft.notes_on(key),
        )
        for key in draft.keys(step)
    ]


def _blank(draft: ApplicationDraft, step: str) -> dict[str, str]:
    return dict.fromkeys(draft.keys(step), "")


def _soften(form: Any, *, strict: bool) -> None:
    """Drop the errors of missing answers, which count only on submission."""
    for key in list(form.errors):
        if not strict and form.data.get(key) in (None, "", [], False):
            del form.errors[key]


def _terms(draft: ApplicationDraft) -> dict[str, Any]:
    """Return the context of the text in force, and its changes since the accepted one."""
    licence = draft.licence
    if licence is None:
        return {"licence": None}
    read = _read_before(draft, licence)
    return {
        "licence": licence,
        "licence_text": to_html(licence.text, top=2),
        "duties": [one for one in draft.findings if one.weight == Weight.DUTY],
        "read_version": read,
        "changes": text_diff.diff_excerpts(read.text, licence.text) if read else [],
    }


def _read_before(draft: ApplicationDraft, in_force: LicenceVersion) -> LicenceVersion | None:
    sha256 = draft.application.answers.get("licence_sha256")
    if not sha256 or sha256 == in_force.text_sha256:
        return None
    return draft.application.tier.licence.versions.filter(text_sha256=sha256).first()


def short_labels(draft: ApplicationDraft) -> dict[str, str]:
    """Return the short label of each question, for lists."""
    return {**LABELS, **{extra.key: extra.label for extra in draft.extras}}
