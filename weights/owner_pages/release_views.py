"""Publish and discard drafts, and withdraw published revisions, after confirmation."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods

from accounts.change_requests import services as change_requests
from accounts.errors import DomainError
from accounts.templatetags.wording import day
from accounts.users.models import User
from accounts.web.current_user import signed_in
from weights.catalogue.models import Checkpoint
from weights.checkpoint_pages.comparison import compare
from weights.owner_pages import queries
from weights.owner_pages.forms import PublishForm, WithdrawForm
from weights.owner_pages.lookup import own_checkpoint, revision_or_404
from weights.owner_pages.refusals import sentence_of
from weights.publishing import withdrawal
from weights.publishing.drafts import discarding, notes, publication
from weights.publishing.lint import ERROR
from weights.publishing.models import Revision
from weights.publishing.queries import head_of
from weights.recalls import affected
from weights.recalls.models import Recall

_FORM = require_http_methods(["GET", "HEAD", "POST"])
#: Files, or changed files, on one page of the confirmation.
PAGE_SIZE = 50


@own_checkpoint
@_FORM
def publish(request: HttpRequest, checkpoint: Checkpoint, sha: str) -> HttpResponse:
    """Show what will become public; publish, or save only the release notes."""
    draft, person = revision_or_404(checkpoint, sha), signed_in(request)
    if draft.state != Revision.State.DRAFT:
        messages.info(request, f"{draft} is no longer a draft: {draft.get_state_display()}.")
        return redirect("weights:own-detail", checkpoint.org, checkpoint.name)
    publication.ensure_findings(draft)
    draft.refresh_from_db(fields=["findings"])
    form = PublishForm(
        request.POST if request.method == "POST" else None,
        initial={"notes": draft.message},
        is_first=checkpoint.published_at is None,
        has_errors=any(one["severity"] == ERROR for one in draft.findings or []),
        asks_second=change_requests.is_required(person),
    )
    if request.method == "POST" and form.is_valid():
        try:
            return _publish(request, draft, form, person)
        except DomainError as error:
            form.add_error(None, sentence_of(error))
    context = {"checkpoint": checkpoint, "draft": draft, "form": form, **_contents(draft)}
    context["page"] = Paginator(context["rows"], PAGE_SIZE).get_page(request.GET.get("page"))
    return render(
        request, "weights/owner_pages/publish.html", context, status=422 if form.errors else 200
    )


def _publish(
    request: HttpRequest, draft: Revision, form: PublishForm, person: User
) -> HttpResponse:
    page = redirect("weights:own-detail", draft.checkpoint.org, draft.checkpoint.name)
    with transaction.atomic():
        notes.write_notes(draft, form.cleaned_data["notes"], by=person)
        if "save" in request.POST:
            messages.success(request, "Release notes saved. The draft is not published yet.")
            return page
        waiting = publication.publish_draft(draft, by=person, **form.choices())
    if waiting is not None:
        text = 'Not published yet. A second person must confirm: <a href="{}">{}</a>.'
        messages.warning(request, format_html(text, waiting.path, waiting))
    else:
        messages.success(request, _published(draft))
    return page


def _published(draft: Revision) -> str:
    """Say when the draft becomes public."""
    draft.refresh_from_db()
    until, is_visible = draft.checkpoint.embargo_until, draft.state == Revision.State.VISIBLE
    if until is not None and until > timezone.now() and not draft.checkpoint.private:
        condition = "" if is_visible else ", provided that its files are verified by then"
        return f"{draft} becomes public on {day(until)} at {until:%H:%M} UTC{condition}."
    if is_visible:
        return f"{draft} is published."
    return f"{draft} will be published once its files are verified; this page shows the progress."


def _contents(draft: Revision) -> dict[str, Any]:
    """The draft's progress, and its changes since its branch's published head."""
    [progress] = queries.unpublished([draft])
    head = head_of(draft.checkpoint_id, draft.branch)
    context: dict[str, Any] = {
        "progress": progress,
        "obstacle": publication.obstacles(draft),
        "head": head,
    }
    if head is None:
        return context | {"rows": draft.files.select_related("blob")}
    return context | {"rows": compare(head, draft).changes}


@own_checkpoint
@_FORM
def discard(request: HttpRequest, checkpoint: Checkpoint, sha: str) -> HttpResponse:
    draft = revision_or_404(checkpoint, sha)
    if request.method == "POST":
        try:
            discarding.discard(draft, by=signed_in(request))
        except DomainError as error:
            messages.error(request, sentence_of(error))
        else:
            messages.success(request, f"The draft {sha[:12]} is discarded.")
        return redirect("weights:own-detail", checkpoint.org, checkpoint.name)
    context = {"checkpoint": checkpoint, "draft": draft}
    return render(request, "weights/owner_pages/discard.html", context)


@own_checkpoint
@_FORM
def withdraw(request: HttpRequest, checkpoint: Checkpoint, sha: str) -> HttpResponse:
    """Show who is affected, then withdraw with a public reason."""
    revision = revision_or_404(checkpoint, sha)
    form = WithdrawForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            withdrawal.withdraw(revision, by=signed_in(request), **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, sentence_of(error))
        else:
            messages.success(request, f"{revision} is withdrawn.")
            return redirect("weights:own-detail", checkpoint.org, checkpoint.name)
    context = {
        "checkpoint": checkpoint,
        "revision": revision,
        "form": form,
        "reach": affected.reach(Recall(revision=revision)),
        "refs": queries.refs_by_revision(checkpoint).get(revision.pk, []),
    }
    return render(
        request, "weights/owner_pages/withdraw.html", context, status=422 if form.errors else 200
    )
