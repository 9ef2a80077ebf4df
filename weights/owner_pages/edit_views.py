"""Create a checkpoint, edit its card, title and facts, and delete one that was never published."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.admin_pages.reason_to_open import announce_waiting
from accounts.errors import DomainError
from accounts.tiers import strictness
from accounts.web.current_user import signed_in
from weights.catalogue import checkpoint_tiers, facts, front_matter
from weights.catalogue.card_html.cache import Addresses, html_of
from weights.catalogue.cards import TOP
from weights.catalogue.descriptions import fact_rows
from weights.catalogue.models import Checkpoint
from weights.errors import BranchMoved
from weights.owner_pages import card_text
from weights.owner_pages.forms import CardForm, CreateForm, DescriptionForm
from weights.owner_pages.lookup import own_checkpoint, release_owners_only
from weights.owner_pages.refusals import sentence_of
from weights.publishing.drafts import checkpoints, owners, queries
from weights.publishing.drafts.commits import AddFile, commit
from weights.publishing.queries import DEFAULT_BRANCH

_FORM = require_http_methods(["GET", "HEAD", "POST"])


@release_owners_only
@_FORM
def create(request: HttpRequest) -> HttpResponse:
    """Create a private draft; its card is the first commit."""
    active = owners.tiers_of(signed_in(request)).filter(retired_at=None)
    tiers = sorted(active, key=strictness.rank, reverse=True)
    form = CreateForm(request.POST if request.method == "POST" else None, tiers=tiers)
    if request.method == "POST" and form.is_valid() and "preview" not in request.POST:
        values = form.cleaned_data
        try:
            made, is_new = checkpoints.create_draft(
                values["org"], values["name"], by=signed_in(request), tier=values["tier"]
            )
        except DomainError as error:
            form.add_error("name", sentence_of(error))
        else:
            if not is_new:
                form.add_error("name", f"You already have a checkpoint {made}.")
            else:
                return _after_creation(request, made, values["card"])
    context = {"form": form, "has_tiers": bool(tiers), **_preview(form)}
    return render(
        request, "weights/owner_pages/create.html", context, status=422 if form.errors else 200
    )


def _after_creation(request: HttpRequest, made: Checkpoint, text: str) -> HttpResponse:
    messages.success(request, f"Created {made} as a draft that only its owners see.")
    if not text:
        return redirect("weights:own-detail", made.org, made.name)
    form = CardForm({"card": text, "message": "Add the card"})
    form.full_clean()
    return _save_card(request, made, form)


def _preview(form: CreateForm | CardForm) -> dict[str, Any]:
    """The card as HTML, if a preview was requested and the card is valid."""
    if not form.is_bound or "preview" not in form.data or "card" in form.errors:
        return {}
    body = front_matter.split(form.cleaned_data.get("card", "")).body
    return {"preview": html_of(body, Addresses(), TOP), "is_preview": True}


@own_checkpoint
@_FORM
def card(request: HttpRequest, checkpoint: Checkpoint) -> HttpResponse:
    """Edit README.md of `main`; saving creates a draft commit."""
    if request.method == "POST":
        form = CardForm(request.POST)
        if "preview" in request.POST or not form.is_valid():
            return _card_page(request, checkpoint, form)
        return _save_card(request, checkpoint, form)
    head = queries.branch_head(checkpoint.pk, DEFAULT_BRANCH)
    try:
        text = card_text.read(head)
    except card_text.CardUnreadable as reason:
        context = {"checkpoint": checkpoint, "reason": reason}
        return render(request, "weights/owner_pages/card_unreadable.html", context)
    initial = {"card": text, "parent": head.sha if head else ""}
    return _card_page(request, checkpoint, CardForm(initial=initial))


def _save_card(request: HttpRequest, checkpoint: Checkpoint, form: CardForm) -> HttpResponse:
    """Commit the text; after a refusal, show the form again with the text."""
    values = form.cleaned_data
    head = queries.branch_head(checkpoint.pk, DEFAULT_BRANCH)
    try:
        made = commit(
            checkpoint,
            DEFAULT_BRANCH,
            [AddFile(card_text.PATH, values["card"].encode())],
            by=signed_in(request),
            message=values["message"] or "Edit the card",
            parent=values["parent"],
        )
    except BranchMoved:
        newer = queries.branch_head(checkpoint.pk, DEFAULT_BRANCH)
        return _card_page(request, checkpoint, form, newer=newer)
    except DomainError as error:
        form.add_error(None, sentence_of(error))
        return _card_page(request, checkpoint, form)
    if made == head:
        messages.info(request, "The card is the same, so nothing was saved.")
    else:
        messages.success(request, f"The card is saved as the draft {made.sha[:12]}.")
    return redirect("weights:own-detail", checkpoint.org, checkpoint.name)


def _card_page(
    request: HttpRequest, checkpoint: Checkpoint, form: CardForm, *, newer: Any = None
) -> HttpResponse:
    """`newer` is a commit made since the form was opened; saving again replaces its card."""
    context = {"checkpoint": checkpoint, "form": form, "newer": newer, **_preview(form)}
    if newer is not None:
        form.data = {name: form.data.get(name, "") for name in form.fields} | {"parent": newer.sha}
        try:
            context["newer_text"] = card_text.read(newer)
        except card_text.CardUnreadable as reason:
            context["newer_text"] = str(reason)
    status = 409 if newer else 422 if form.errors else 200
    return render(request, "weights/owner_pages/card.html", context, status=status)


@own_checkpoint
@_FORM
def description(request: HttpRequest, checkpoint: Checkpoint) -> HttpResponse:
    """Edit title, summary and facts, which belong to no revision and take effect at once."""
    data = request.POST if request.method == "POST" else None
    stored = Checkpoint.objects.get(pk=checkpoint.pk)
    form, rows = DescriptionForm(data, instance=checkpoint), fact_rows.rows_of(stored, data)
    context: dict[str, Any] = {"checkpoint": stored, "form": form, "rows": rows}
    if data is not None and all([form.is_valid(), rows.is_valid()]):
        checkpoint.facts = fact_rows.facts_of(rows, stored.facts)
        if "preview" not in data:
            waiting = checkpoint_tiers.save_checkpoint(checkpoint, by=signed_in(request))
            announce_waiting(request, waiting)
            messages.success(request, "Title, summary and facts are saved.")
            return redirect("weights:own-facts", checkpoint.org, checkpoint.name)
        context |= {"is_preview": True, "facts": facts.displayed(checkpoint.facts)}
    status = 422 if form.errors or rows.total_error_count() else 200
    return render(request, "weights/owner_pages/description.html", context, status=status)


@own_checkpoint
@_FORM
def delete(request: HttpRequest, checkpoint: Checkpoint) -> HttpResponse:
    """Ask for confirmation, then delete a private checkpoint that was never published.

    A catalogue entry without files is public, so it stays.
    """
    may_delete = checkpoint.private and checkpoint.published_at is None
    if request.method == "POST" and may_delete:
        try:
            checkpoints.delete(checkpoint, by=signed_in(request))
        except DomainError as error:
            messages.error(request, sentence_of(error))
            return redirect("weights:own-detail", checkpoint.org, checkpoint.name)
        messages.success(request, f"The draft {checkpoint} is deleted.")
        return redirect("weights:own-list")
    context = {"checkpoint": checkpoint, "may_delete": may_delete}
    return render(request, "weights/owner_pages/delete.html", context)
