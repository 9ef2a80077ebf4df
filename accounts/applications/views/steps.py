"""The four steps of the form. Answers are saved without validation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import BoundField
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts.applications import organisations, services
from accounts.applications.custom_questions import CustomQuestion
from accounts.applications.documents.models import Attachment
from accounts.applications.drafts import REVIEW, ApplicationDraft, answer_name, save_step
from accounts.applications.forms import ApplicationForm
from accounts.applications.models import Application
from accounts.applications.questions import CONDITIONS, STEPS
from accounts.applications.views import autosave
from accounts.applications.views.common import (
    get_own_application,
    resume_url,
    sentence,
    step_url,
)
from accounts.applications.views.expired_session import (
    csrf_failure,
    pop_stored,
    sign_in_again,
)
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
class QuestionRow:
    """One question of a step as the page shows it."""

    field: BoundField
    #: The question if it is a custom one.
    custom: CustomQuestion | None
    remarks: list["RemarkRow"]
    documents: list[Attachment]
    #: The text that another window saved, if it differs.
    other: str
    #: The findings of the tier's terms of use about the answer.
    notes: list[str]

    @property
    def condition(self) -> tuple[str, str]:
        """Key and value of the answer on which the question depends; empty if always asked."""
        if self.custom:
            return self.custom.condition_key, self.custom.condition_value
        return CONDITIONS.get(self.field.name, ("", ""))


@dataclass
class RemarkRow:
    """A reviewer's remark, the form field of its answer, and the text in it."""

    remark: Remark
    name: str
    text: str


@csrf_exempt  # `csrf_failure` checks the token without losing the posted text
@require_http_methods(["GET", "HEAD", "POST"])
def application_step(request: HttpRequest, public_id: str, step: str) -> HttpResponse:
    """Show or save one step. A save, even incomplete, redirects to the page that `go` names."""
    if step not in STEPS:
        raise Http404(f"the form has no step {step!r}")
    failure = csrf_failure(request)
    if not request.user.is_authenticated:
        return failure or sign_in_again(request)
    application = get_own_application(request, public_id)
    draft = ApplicationDraft(application, signed_in(request))
    if failure is not None:
        return _show_unsaved(request, draft, step)
    if request.method == "POST":
        return _save(request, draft, step, request.POST)
    if (stored := pop_stored(request)) is not None:
        messages.success(request, "You are signed in again; what you had typed is not lost.")
        return _save(request, draft, step, stored)
    if not application.is_editable:
        return redirect("accounts:application-detail", application.public_id)
    return _show(request, draft, step)


@login_required
@require_POST
def application_adopt(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give a draft the tier's current questions."""
    application = get_own_application(request, public_id)
    try:
        submission.adopt_questions(application, by=signed_in(request))
    except AccountsError as error:
        messages.error(request, sentence(error))
        return redirect("accounts:application-detail", application.public_id)
    messages.success(
        request, "The form now asks the current questions. Your answers are preserved."
    )
    return redirect(resume_url(application, signed_in(request)))


# -- saving ---------------------------------------------------------------------------------


def _save(
    request: HttpRequest, draft: ApplicationDraft, step: str, data: QueryDict
) -> HttpResponse:
    fingerprint, use_saved = str(data.get("seen", "")), data.getlist("keep_saved")
    try:
        application = save_step(draft, step, data, fingerprint=fingerprint, use_saved=use_saved)
    except StaleAnswers as error:
        if autosave.is_autosave(request):
            return autosave.refused(error)
        posted = draft.posted_answers(step, data)
        return _show(request, draft, step, posted=posted, status=409)
    except AccountsError as error:
        if autosave.is_autosave(request):
            return autosave.refused(error)
        messages.error(request, sentence(error))
        return redirect("accounts:application-detail", draft.application.public_id)
    warning = draft.truncation_warning(step, data)
    if autosave.is_autosave(request):
        fingerprint = ApplicationDraft(application, draft.person).fingerprint(step)
        return autosave.saved(fingerprint, warning)
    if warning:
        messages.warning(request, warning)
    go = str(data.get("go", "next"))
    if go == "next" and (text := ApplicationDraft(application, draft.person).open_points(step)):
        messages.warning(request, _with_link(text, step_url(application, step)))
    return redirect(_next_url(application, step, go))


def _with_link(text: str, url: str) -> SafeString:
    return format_html('{} <a href="{}?check=1">Go back to that step</a>', text, url)


def _show_unsaved(request: HttpRequest, draft: ApplicationDraft, step: str) -> HttpResponse:
    """Show the posted text in a form that can be saved; nothing is saved without a CSRF token."""
    if autosave.is_autosave(request):
        return autosave.csrf_failed()
    if not draft.application.is_editable:
        return redirect("accounts:application-detail", draft.application.public_id)
    posted = draft.posted_answers(step, request.POST)
    return _show(request, draft, step, posted=posted, status=403)


def _next_url(application: Application, step: str, go: str) -> str:
    """Return the URL for the value of the pressed button.

    `go` is `next`, `back`, `stay`, the key of a step or `document:` with the key of a question.
    """
    position = ORDER.index(step)
    question = go.removeprefix("document:")
    if question != go and question in application.form.labels():
        return reverse("accounts:document-add", args=[application.public_id, question])
    steps = {"next": ORDER[position + 1], "back": ORDER[max(position - 1, 0)], "stay": step}
    target = steps.get(go, go)
    return step_url(application, target if target in ORDER else step)


# -- showing --------------------------------------------------------------------------------


def _show(
    request: HttpRequest,
    draft: ApplicationDraft,
    step: str,
    *,
    posted: Mapping[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render a step; `posted` are unsaved answers, shown beside the saved ones."""
    application = draft.application
    context = {
        "application": application,
        "tier": application.tier,
        "step": step,
        "title": STEPS[step][0],
        "number": ORDER.index(step) + 1,
        "steps": draft.steps,
        "seen": draft.fingerprint(step),
        "questions": _questions(draft, step, posted, strict="check" in request.GET),
        "is_stale": status == 409,
        "is_unproven": status == 403,
        "organisations": organisations.suggestions() if step == "you" else [],
        "may_adopt": services.may_adopt(application),
        "answer_days": settings.ANSWER_DAYS,
    }
    if step == "terms":
        context |= _terms(draft)
    return render(request, "accounts/applications/application_form.html", context, status=status)


def _questions(
    draft: ApplicationDraft, step: str, posted: Mapping[str, Any] | None, *, strict: bool
) -> list[QuestionRow]:
    others: dict[str, str] = {}
    if posted is None:
        form = draft.form
        if not strict:
            _drop_missing_errors(form)
    else:
        blank = dict.fromkeys(draft.keys(step), "")
        form = draft.validated({**draft.application.answers, **blank, **posted})
        others = draft.differences(step, posted)
    if "licence_accept" in form.errors:  # the page shows a newer text, which needs a new tick
        form.data = {key: form.data[key] for key in form.data if key != "licence_accept"}
    remarks: dict[str, list[RemarkRow]] = {}
    for remark in draft.remarks_on(step):
        name = answer_name(remark)
        text = remark.answer if posted is None else str(posted.get(name, ""))
        remarks.setdefault(remark.field, []).append(RemarkRow(remark, name, text))
    return [
        QuestionRow(
            form[key],
            form.custom_questions.get(key),
            remarks.get(key, []),
            draft.documents.get(key, []),
            others.get(key, ""),
            draft.notes_on(key),
        )
        for key in draft.keys(step)
    ]


def _drop_missing_errors(form: ApplicationForm) -> None:
    """Remove the errors of missing answers, which count only on submission."""
    for key in list(form.errors):
        if form.data.get(key) in (None, "", [], False):
            del form.errors[key]


def _terms(draft: ApplicationDraft) -> dict[str, Any]:
    """Return the context of the licence in force and its changes since the accepted version."""
    licence = draft.licence
    if licence is None:
        return {"licence": None}
    accepted = _accepted_before(draft, licence)
    return {
        "licence": licence,
        "licence_text": to_html(licence.text, top=2),
        "duties": [one for one in draft.findings if one.weight == Weight.DUTY],
        "accepted_version": accepted,
        "changes": text_diff.diff_excerpts(accepted.text, licence.text) if accepted else [],
    }


def _accepted_before(draft: ApplicationDraft, in_force: LicenceVersion) -> LicenceVersion | None:
    sha256 = draft.application.answers.get("licence_sha256")
    if not sha256 or sha256 == in_force.text_sha256:
        return None
    return draft.application.tier.accepted_licence.versions.filter(text_sha256=sha256).first()
