"""The list of applications, the page of one, and the applicant's actions on it."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.applications import forecast, timeline
from accounts.applications.custom_questions import Kind
from accounts.applications.drafts import answer_name
from accounts.applications.models import Application
from accounts.applications.questions import answered
from accounts.applications.transition_table import Status
from accounts.applications.views.common import get_own_application, resume_url, sentence
from accounts.applications.workflow import appeals, submission
from accounts.applications.workflow.eligibility import may_apply_from
from accounts.errors import AccountsError, LimitReached
from accounts.mail import outbox
from accounts.rate_limits import buckets
from accounts.rate_limits.buckets import Limit
from accounts.review.models import Decision, ReasonText
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier
from accounts.users.models import User
from accounts.web.current_user import signed_in

_MAILS = Limit("mail-again", 3, 3600)
#: verdict -> the title, tone and icon of its notice.
_VERDICTS: dict[str, dict[str, str]] = {
    Decision.Verdict.APPROVE: {"title": "Approved", "tone": "good", "icon": "verified"},
    Decision.Verdict.RETURN: {"title": "Returned for changes", "tone": "wait", "icon": "warning"},
    Decision.Verdict.REJECT: {"title": "Rejected", "tone": "bad", "icon": "refused"},
}


@login_required
@require_safe
def application_list(request: HttpRequest) -> HttpResponse:
    own = Application.objects.filter(applicant=signed_in(request)).select_related("tier")
    context = {
        "applications": own.order_by("-created_at"),
        "tiers": Tier.objects.filter(retired_at=None).exclude(mode=AccessMode.OPEN),
    }
    return render(request, "accounts/applications/application_list.html", context)


@login_required
@require_safe
def application_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    return render_detail(request, get_own_application(request, public_id))


def render_detail(
    request: HttpRequest, application: Application, *, status: int = 200, **more: Any
) -> HttpResponse:
    """Render the page of an application; `more` is added to its context."""
    person = signed_in(request)
    snapshot = application.latest_snapshot
    answers = snapshot.answers if snapshot else application.answers
    # Documents are listed separately, with links.
    custom = [one for one in application.form.custom_questions if one.kind != Kind.FILE]
    context = {
        "application": application,
        "tier": application.tier,
        "events": timeline.timeline(application)[::-1],
        "decisions": _decisions(application),
        "answers": answered(answers, custom),
        "documents": application.attachments.filter(removed_at=None),
        "outlook": forecast.outlook(application),
        "lapses_on": timeline.lapse_date(application),
        "grant": getattr(application, "grant", None),
        "can_withdraw": application.is_waiting,
        **_remarks(application),
        **_next_form(application, person),
        **_appeal(application),
        **more,
    }
    return render(request, "accounts/applications/application_detail.html", context, status=status)


def _decisions(application: Application) -> list[dict[str, Any]]:
    texts = ReasonText.objects.current()
    return [
        {
            **_VERDICTS[decision.verdict],
            "is_approval": decision.verdict == Decision.Verdict.APPROVE,
            "at": decision.created_at,
            "note": decision.note,
            "reasons": [texts[code] for code in decision.reasons],
            "waiting_days": decision.days_to_wait,
        }
        for decision in reversed(timeline.visible_decisions(application))
    ]


def _appeal(application: Application) -> dict[str, Any]:
    """Return the appeal against a rejection, or the time until which one is accepted."""
    if application.status != Status.REJECTED:
        return {}
    return {
        "appeal": appeals.of(application),
        "appeal_until": appeals.deadline(application),
        "appeal_days": settings.APPEAL_ANSWER_DAYS,
        "appeal_bounds": (appeals.MIN_TEXT, appeals.MAX_TEXT),
    }


def _remarks(application: Application) -> dict[str, Any]:
    """Return the public remarks with their labels; they can be answered during review."""
    labels = application.form.labels()
    remarks = [
        {"label": labels.get(one.field, ""), "remark": one, "name": answer_name(one)}
        for one in application.remarks.filter(is_public=True)
    ]
    return {"remarks": remarks, "can_answer": application.is_waiting and bool(remarks)}


def _next_form(application: Application, person: User) -> dict[str, Any]:
    """Return the URL of the form, or the time from which a copy is allowed."""
    if application.is_editable:
        return {"form_url": resume_url(application, person)}
    if not application.is_terminal or _gives_access(application):
        return {"can_copy": False}
    again = may_apply_from(person, application.tier)
    wait = again if again and again > timezone.now() else None
    return {"can_copy": wait is None, "copy_from": wait}


def _gives_access(application: Application) -> bool:
    """True if the application was approved and its grant has not ended."""
    if application.status != Status.APPROVED:
        return False
    grant = getattr(application, "grant", None)
    return grant is None or grant.is_live or grant.is_suspended


# -- actions --------------------------------------------------------------------------------


@login_required
@require_POST
def application_withdraw(request: HttpRequest, public_id: str) -> HttpResponse:
    application = get_own_application(request, public_id)
    try:
        reason = request.POST.get("reason", "")[:500]
        submission.withdraw(application, by=signed_in(request), reason=reason)
        messages.success(request, f"{application.reference} is withdrawn.")
    except AccountsError as error:
        messages.error(request, sentence(error))
    return redirect("accounts:application-detail", application.public_id)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def application_delete(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask first, then delete a draft with its documents."""
    application = get_own_application(request, public_id)
    if request.method != "POST" and application.status == Status.DRAFT:
        context = {"application": application, "tier": application.tier}
        return render(request, "accounts/applications/application_delete.html", context)
    try:
        submission.delete_draft(application, by=signed_in(request))
    except AccountsError as error:
        messages.error(request, sentence(error))
        return redirect("accounts:application-detail", application.public_id)
    messages.success(request, f"The draft {application.reference} is deleted.")
    return redirect("accounts:application-list")


@login_required
@require_POST
def application_copy(request: HttpRequest, public_id: str) -> HttpResponse:
    """Start a new draft with the answers of a closed application."""
    application = get_own_application(request, public_id)
    try:
        draft = submission.copy_as_new(application, by=signed_in(request))
    except AccountsError as error:
        messages.error(request, sentence(error))
        return redirect("accounts:application-detail", application.public_id)
    messages.success(
        request, "We created a draft with your last submitted answers. Edit it before you submit."
    )
    return redirect(resume_url(draft, signed_in(request)))


@login_required
@require_POST
def application_mail(request: HttpRequest, public_id: str, mail_id: str) -> HttpResponse:
    """Resend a mail from the timeline, at most three an hour."""
    application = get_own_application(request, public_id)
    mail = get_object_or_404(timeline.mails_to_applicant(application), public_id=mail_id)
    try:
        if not buckets.take(_MAILS, str(signed_in(request).pk)).allowed:
            raise LimitReached(
                "you can resend three mails an hour; check your inbox or try again later"
            )
        outbox.resend(mail)
        messages.success(request, f"The mail to {mail.to} was sent again.")
    except AccountsError as error:
        messages.error(request, sentence(error))
    return redirect("accounts:application-detail", application.public_id)


@login_required
@require_POST
def application_answer(request: HttpRequest, public_id: str) -> HttpResponse:
    """Answer remarks while staff review the application."""
    application = get_own_application(request, public_id)
    answers = {
        remark.pk: request.POST[answer_name(remark)][:2000]
        for remark in application.remarks.filter(is_public=True)
        if answer_name(remark) in request.POST
    }
    try:
        submission.answer_remarks(application, answers, by=signed_in(request))
        messages.success(
            request, "Your answer is saved. The reviewer will see it with your application."
        )
    except AccountsError as error:
        messages.error(request, sentence(error))
    return redirect("accounts:application-detail", application.public_id)
