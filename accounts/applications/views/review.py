"""The last page of the form: all answers and warnings, and the button that submits."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.applications import drafts, services
from accounts.applications.custom_questions import asked
from accounts.applications.drafts import REVIEW, ApplicationDraft, answer_name
from accounts.applications.models import Application
from accounts.applications.questions import CONDITIONS, STEPS, readable
from accounts.applications.views.common import own, sentence
from accounts.applications.views.steps import ORDER, RemarkRow, short_labels
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
    faults: list[str] = field(default_factory=list)
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
    application = own(request, public_id)
    draft = ApplicationDraft(application, signed_in(request))
    if request.method == "POST":
        return _act(request, draft)
    if not application.is_editable:
        return redirect("accounts:application-detail", application.public_id)
    return _show(request, draft)


def _act(request: HttpRequest, draft: ApplicationDraft) -> HttpResponse:
    """Save the answers to remarks about the whole, then go to a step or submit."""
    application, go = draft.application, request.POST.get("go", "stay")
    try:
        version = application.answers_version
        seen = request.POST.get("seen", "")
        drafts.save_step(draft, REVIEW, request.POST, seen=seen)
        if go == "submit":
            return _submit(request, draft, unchanged=_seen_version(request) == version)
    except StaleAnswers as error:
        messages.warning(request, f"{sentence(error)} Read the answers again before you submit.")
        return _show(request, ApplicationDraft(application, draft.person), status=409)
    except InvalidAnswers as error:
        return _show(
            request, ApplicationDraft(application, draft.person), faults=error.form, status=422
        )
    except AccountsError as error:
        return _after_refusal(request, draft, error)
    if go in STEPS:
        return redirect("accounts:application-step", application.public_id, go)
    return redirect(request.path)


def _submit(request: HttpRequest, draft: ApplicationDraft, *, unchanged: bool) -> HttpResponse:
    application = draft.application
    if application.is_waiting:  # the other click of a double click has submitted it
        return redirect("accounts:application-detail", application.public_id)
    if not unchanged:
        raise StaleAnswers("the answers were changed in another window since you opened this page")
    version = application.answers_version
    drafts.submit(application, by=draft.person, seen_version=version)
    messages.success(request, f"{application.reference} is submitted. A receipt is on its way.")
    return redirect("accounts:application-detail", application.public_id)


def _seen_version(request: HttpRequest) -> int:
    sent = request.POST.get("seen_version", "")
    return int(sent) if sent.isdecimal() and len(sent) < 10 else -1


def _after_refusal(
    request: HttpRequest, draft: ApplicationDraft, error: AccountsError
) -> HttpResponse:
    """Show why, unless the other click of a double click has submitted it already."""
    application = Application.objects.get(pk=draft.application.pk)
    if not application.is_waiting:
        messages.error(request, sentence(error))
    if application.is_editable:
        return _show(request, ApplicationDraft(application, draft.person), status=409)
    return redirect("accounts:application-detail", application.public_id)


# -- showing --------------------------------------------------------------------------------


def _show(
    request: HttpRequest, draft: ApplicationDraft, *, faults: Any = None, status: int = 200
) -> HttpResponse:
    application = draft.application
    labels, wrong = short_labels(draft), draft.form.errors
    open_points = [
        (step, key, labels[key], wrong[key])
        for step in STEPS
        for key in draft.keys(step)
        if key in wrong
    ]
    context = {
        "application": application,
        "tier": application.tier,
        "step": REVIEW,
        "number": len(ORDER),
        "steps": draft.steps,
        "parts": _parts(draft),
        "open_points": open_points,
        "refused": faults is not None,
        "seen": draft.fingerprint(REVIEW),
        "about_all": [
            RemarkRow(one, answer_name(one), one.answer) for one in draft.remarks_on(REVIEW)
        ],
        "is_again": application.latest_snapshot is not None,
        "leftovers": draft.leftovers(),
        "licence": draft.licence,
        "may_adopt": services.may_adopt(application),
    }
    return render(request, "accounts/applications/application_review.html", context, status=status)


def _parts(draft: ApplicationDraft) -> list[Section]:
    before = draft.application.latest_snapshot
    old = before.answers if before else None
    return [
        Section(key, title, [_line(draft, name, old) for name in _shown(draft, key)])
        for key, (title, _) in STEPS.items()
    ]


def _shown(draft: ApplicationDraft, step: str) -> list[str]:
    """Return the keys of the questions that apply; an unmet condition hides one."""
    hidden = {extra.key for extra in draft.extras} - {
        extra.key for extra in asked(draft.extras, draft.application.answers)
    }
    for key, (other, wanted) in CONDITIONS.items():
        if draft.application.answers.get(other) != wanted:
            hidden.add(key)
    return [key for key in draft.keys(step) if key not in hidden]


def _line(draft: ApplicationDraft, key: str, old: dict[str, Any] | None) -> Line:
    now, before = _text(draft, key, draft.application.answers), ""
    changes: list[Part] = []
    if old is not None and key != "licence_accept":
        before = _text(draft, key, old)
        changes = text_diff.diff_excerpts(before, now) if before != now else []
    return Line(
        key,
        short_labels(draft)[key],
        now,
        faults=[str(fault) for fault in draft.form.errors.get(key, [])],
        warning=dict(draft.warnings()).get(key, ""),
        changes=changes,
        remarks=[one for one in draft.remarks if one.field == key],
    )


def _text(draft: ApplicationDraft, key: str, answers: dict[str, Any]) -> str:
    if key in draft.documents and answers is draft.application.answers:
        return ", ".join(document.name for document in draft.documents[key])
    value = answers.get(key, "")
    return "" if value in ("", None, []) else readable(key, value, draft.form.extras.get(key))
