"""The last page of the form: every answer and every warning, and the button that submits."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.applications import drafts, services
from accounts.applications.custom_questions import asked
from accounts.applications.drafts import REVIEW, Filling, answer_name
from accounts.applications.models import Application
from accounts.applications.questions import CONDITIONS, STEPS, readable
from accounts.applications.views.common import own, sentence
from accounts.applications.views.steps import ORDER, Said, short_labels
from accounts.errors import AccountsError, InvalidAnswers, StaleAnswers
from accounts.review.models import Remark
from accounts.web import text_diff
from accounts.web.current_user import signed_in
from accounts.web.text_diff import Part


@dataclass
class Line:
    """One question on the review page: its answer, what is wrong, what changed."""

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
    sheet = Filling(application, signed_in(request))
    if request.method == "POST":
        return _act(request, sheet)
    if not application.is_editable:
        return redirect("accounts:application-detail", application.public_id)
    return _show(request, sheet)


def _act(request: HttpRequest, sheet: Filling) -> HttpResponse:
    """Keep what is said to remarks about the whole; then go to a step, or submit."""
    application, go = sheet.application, request.POST.get("go", "stay")
    try:
        version = application.answers_version
        seen = request.POST.get("seen", "")
        drafts.save_step(sheet, REVIEW, request.POST, seen=seen)
        if go == "submit":
            return _submit(request, sheet, unchanged=_seen_version(request) == version)
    except StaleAnswers as error:
        messages.warning(request, f"{sentence(error)} Read the answers again before you submit.")
        return _show(request, Filling(application, sheet.person), status=409)
    except InvalidAnswers as error:
        return _show(request, Filling(application, sheet.person), faults=error.form, status=422)
    except AccountsError as error:
        return _after_refusal(request, sheet, error)
    if go in STEPS:
        return redirect("accounts:application-step", application.public_id, go)
    return redirect(request.path)


def _submit(request: HttpRequest, sheet: Filling, *, unchanged: bool) -> HttpResponse:
    application = sheet.application
    if application.is_waiting:  # the other click of a double click has submitted it
        return redirect("accounts:application-detail", application.public_id)
    if not unchanged:
        raise StaleAnswers("the answers were changed in another window since you opened this page")
    version = application.answers_version
    drafts.submit(application, by=sheet.person, seen_version=version)
    messages.success(request, f"{application.reference} is submitted. A receipt is on its way.")
    return redirect("accounts:application-detail", application.public_id)


def _seen_version(request: HttpRequest) -> int:
    sent = request.POST.get("seen_version", "")
    return int(sent) if sent.isdecimal() and len(sent) < 10 else -1


def _after_refusal(request: HttpRequest, sheet: Filling, error: AccountsError) -> HttpResponse:
    """Say why; where the other click of a double click was quicker, all is well."""
    application = Application.objects.get(pk=sheet.application.pk)
    if not application.is_waiting:
        messages.error(request, sentence(error))
    if application.is_editable:
        return _show(request, Filling(application, sheet.person), status=409)
    return redirect("accounts:application-detail", application.public_id)


# -- showing --------------------------------------------------------------------------------


def _show(
    request: HttpRequest, sheet: Filling, *, faults: Any = None, status: int = 200
) -> HttpResponse:
    application = sheet.application
    labels, wrong = short_labels(sheet), sheet.form.errors
    open_points = [
        (step, key, labels[key], wrong[key])
        for step in STEPS
        for key in sheet.keys(step)
        if key in wrong
    ]
    context = {
        "application": application,
        "tier": application.tier,
        "step": REVIEW,
        "number": len(ORDER),
        "steps": sheet.steps,
        "parts": _parts(sheet),
        "open_points": open_points,
        "refused": faults is not None,
        "seen": sheet.seen(REVIEW),
        "about_all": [Said(one, answer_name(one), one.answer) for one in sheet.remarks_on(REVIEW)],
        "is_again": application.latest_snapshot is not None,
        "leftovers": sheet.leftovers(),
        "licence": sheet.licence,
        "may_adopt": services.may_adopt(application),
    }
    return render(request, "accounts/applications/application_review.html", context, status=status)


def _parts(sheet: Filling) -> list[Section]:
    before = sheet.application.latest_snapshot
    old = before.answers if before else None
    return [
        Section(key, title, [_line(sheet, name, old) for name in _shown(sheet, key)])
        for key, (title, _) in STEPS.items()
    ]


def _shown(sheet: Filling, step: str) -> list[str]:
    """Questions that are asked now; a condition that is not met hides one."""
    hidden = {extra.key for extra in sheet.extras} - {
        extra.key for extra in asked(sheet.extras, sheet.application.answers)
    }
    for key, (other, wanted) in CONDITIONS.items():
        if sheet.application.answers.get(other) != wanted:
            hidden.add(key)
    return [key for key in sheet.keys(step) if key not in hidden]


def _line(sheet: Filling, key: str, old: dict[str, Any] | None) -> Line:
    now, before = _text(sheet, key, sheet.application.answers), ""
    changes: list[Part] = []
    if old is not None and key != "licence_accept":
        before = _text(sheet, key, old)
        changes = text_diff.diff_excerpts(before, now) if before != now else []
    return Line(
        key,
        short_labels(sheet)[key],
        now,
        faults=[str(fault) for fault in sheet.form.errors.get(key, [])],
        warning=dict(sheet.warnings()).get(key, ""),
        changes=changes,
        remarks=[one for one in sheet.remarks if one.field == key],
    )


def _text(sheet: Filling, key: str, answers: dict[str, Any]) -> str:
    if key in sheet.documents and answers is sheet.application.answers:
        return ", ".join(document.name for document in sheet.documents[key])
    value = answers.get(key, "")
    return "" if value in ("", None, []) else readable(key, value, sheet.form.extras.get(key))
