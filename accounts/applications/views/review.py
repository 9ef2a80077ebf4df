"""The last page of the form: all answers with errors and warnings, and submission."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.applications import drafts, services
from accounts.applications.custom_questions import applicable
from accounts.applications.drafts import REVIEW, ApplicationDraft, answer_name
from accounts.applications.models import Application
from accounts.applications.questions import CONDITIONS, STEPS, readable
from accounts.applications.views.common import get_own_application, receipt_note, sentence
from accounts.applications.views.steps import ORDER, RemarkRow
from accounts.errors import AccountsError, InvalidAnswers, StaleAnswers
from accounts.review.models import Remark
from accounts.web import text_diff
from accounts.web.current_user import signed_in
from accounts.web.text_diff import Part


@dataclass
class Line:
    """One question on the review page: its answer, errors and changes."""

    key: str
    label: str
    text: str
    errors: list[str] = field(default_factory=list)
    warning: str = ""
    changes: list[Part] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


@dataclass
class Section:
    """One step on the review page."""

    key: str
    title: str
    lines: list[Line]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def application_review(request: HttpRequest, public_id: str) -> HttpResponse:
    application = get_own_application(request, public_id)
    draft = ApplicationDraft(application, signed_in(request))
    if request.method == "POST":
        return _post(request, draft)
    if not application.is_editable:
        return redirect("accounts:application-detail", application.public_id)
    return _show(request, draft)


def _post(request: HttpRequest, draft: ApplicationDraft) -> HttpResponse:
    """Save the answers to remarks about the application, then redirect to a step or submit."""
    application, go = draft.application, request.POST.get("go", "stay")
    try:
        version = application.answers_version
        fingerprint = request.POST.get("seen", "")
        drafts.save_step(draft, REVIEW, request.POST, fingerprint=fingerprint)
        if go == "submit":
            return _submit(request, draft, is_current=_posted_version(request) == version)
    except StaleAnswers as error:
        messages.warning(request, f"{sentence(error)} Read the answers again before you submit.")
        return _show(request, ApplicationDraft(application, draft.person), status=409)
    except InvalidAnswers:
        return _show(request, ApplicationDraft(application, draft.person), status=422)
    except AccountsError as error:
        return _after_refusal(request, draft, error)
    if go in STEPS:
        return redirect("accounts:application-step", application.public_id, go)
    return redirect(request.path)


def _submit(request: HttpRequest, draft: ApplicationDraft, *, is_current: bool) -> HttpResponse:
    application = draft.application
    if application.is_waiting:  # submitted by the first click of a double click
        return redirect("accounts:application-detail", application.public_id)
    if not is_current:
        raise StaleAnswers("the answers were changed in another window since you opened this page")
    version = application.answers_version
    drafts.submit(application, by=draft.person, expected_version=version)
    messages.success(request, f"{application.reference} is submitted. {receipt_note()}")
    return redirect("accounts:application-detail", application.public_id)


def _posted_version(request: HttpRequest) -> int:
    version = request.POST.get("seen_version", "")
    return int(version) if version.isdecimal() and len(version) < 10 else -1


def _after_refusal(
    request: HttpRequest, draft: ApplicationDraft, error: AccountsError
) -> HttpResponse:
    """Show the error, unless the first click of a double click has submitted the application."""
    application = Application.objects.get(pk=draft.application.pk)
    if not application.is_waiting:
        messages.error(request, sentence(error))
    if application.is_editable:
        return _show(request, ApplicationDraft(application, draft.person), status=409)
    return redirect("accounts:application-detail", application.public_id)


# -- showing --------------------------------------------------------------------------------


def _show(request: HttpRequest, draft: ApplicationDraft, *, status: int = 200) -> HttpResponse:
    application = draft.application
    labels, form_errors = draft.labels(), draft.form.errors
    errors = [
        (step, key, labels[key], form_errors[key])
        for step in STEPS
        for key in draft.keys(step)
        if key in form_errors
    ]
    context = {
        "application": application,
        "tier": application.tier,
        "step": REVIEW,
        "number": len(ORDER),
        "steps": draft.steps,
        "sections": _sections(draft),
        "errors": errors,
        "is_refused": status == 422,
        "seen": draft.fingerprint(REVIEW),
        "remarks": [
            RemarkRow(one, answer_name(one), one.answer) for one in draft.remarks_on(REVIEW)
        ],
        "is_again": application.latest_snapshot is not None,
        "dropped_answers": draft.dropped_answers(),
        "licence": draft.licence,
        "may_adopt": services.may_adopt(application),
    }
    return render(request, "accounts/applications/application_review.html", context, status=status)


def _sections(draft: ApplicationDraft) -> list[Section]:
    snapshot = draft.application.latest_snapshot
    submitted = snapshot.answers if snapshot else None
    return [
        Section(key, title, [_line(draft, name, submitted) for name in _applicable(draft, key)])
        for key, (title, _) in STEPS.items()
    ]


def _applicable(draft: ApplicationDraft, step: str) -> list[str]:
    """Return the keys of the step's questions whose condition is met."""
    answers, custom = draft.application.answers, draft.custom_questions
    hidden = {one.key for one in custom} - {one.key for one in applicable(custom, answers)}
    hidden |= {key for key, (other, value) in CONDITIONS.items() if answers.get(other) != value}
    return [key for key in draft.keys(step) if key not in hidden]


def _line(draft: ApplicationDraft, key: str, submitted: dict[str, Any] | None) -> Line:
    text = _text(draft, key, draft.application.answers)
    changes: list[Part] = []
    if submitted is not None and key != "licence_accept":
        before = _text(draft, key, submitted)
        changes = text_diff.diff_excerpts(before, text) if before != text else []
    return Line(
        key,
        draft.labels()[key],
        text,
        errors=[str(error) for error in draft.form.errors.get(key, [])],
        warning=dict(draft.warnings()).get(key, ""),
        changes=changes,
        remarks=[one for one in draft.remarks if one.field == key],
    )


def _text(draft: ApplicationDraft, key: str, answers: dict[str, Any]) -> str:
    if key in draft.documents and answers is draft.application.answers:
        return ", ".join(document.name for document in draft.documents[key])
    value = answers.get(key, "")
    return (
        ""
        if value in ("", None, [])
        else readable(key, value, draft.form.custom_questions.get(key))
    )
