"""The Versions tab: the history of a branch, and the differences between two revisions."""

from itertools import pairwise
from urllib.parse import quote

from django.core.paginator import Paginator
from django.db.models import prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.web.current_user import user_or_none
from accounts.web.sanitize import storable
from weights import gate
from weights.catalogue.models import Checkpoint
from weights.checkpoint_pages.comparison import Change, Kind, Line, compare, diff_lines
from weights.checkpoint_pages.header import Tab, header
from weights.delivery.previews import preview
from weights.gate.caller import session_caller
from weights.publishing.history import history
from weights.publishing.models import Ref, Revision
from weights.publishing.queries import ref_name
from weights.web.lookup import (
    Refused,
    checkpoint_or_404,
    unpublished_revision,
    with_refusals,
)

#: Revisions, and changed files, per page.
PAGE_SIZE, CHANGES_PER_PAGE = 30, 100
#: Characters of a message in a menu.
_TITLE = 40


@require_safe
@with_refusals
def version_list(request: HttpRequest, org: str, name: str, rest: str) -> HttpResponse:
    """The history of a branch, tag or revision, including withdrawn revisions."""
    checkpoint = checkpoint_or_404(request, org, name)
    if (gone := gate.withdrawn(checkpoint, rest)) is not None:
        revision = gone.revision
    elif (revision := gate.find_revision(checkpoint, rest)) is None:
        revision = unpublished_revision(user_or_none(request), checkpoint, rest)
    if revision is None:
        revision = _visible_or_refused(request, checkpoint, rest)
    revisions = history(revision)
    page = Paginator(revisions, PAGE_SIZE).get_page(request.GET.get("page"))
    refs = list(Ref.objects.shown().filter(checkpoint=checkpoint).select_related("revision"))
    prefetch_related_objects(list(page), "sources")
    visible = [one for one in revisions if one.state == Revision.State.VISIBLE]
    before = {newer.pk: older for newer, older in pairwise(visible)}
    context = {
        "header": header(checkpoint, Tab.VERSIONS),
        "checkpoint": checkpoint,
        "written": ref_name(rest)[0],
        "page": page,
        "rows": [
            (one, [ref for ref in refs if ref.revision_id == one.pk], before.get(one.pk))
            for one in page
        ],
        "refs": refs,
        "choices": [(one, _choice_label(one, refs)) for one in visible[:PAGE_SIZE]],
    }
    return render(request, "weights/checkpoint_pages/version_list.html", context)


@require_safe
def compare_start(request: HttpRequest, org: str, name: str) -> HttpResponse:
    """Redirect from the form with two names to the URL of their comparison."""
    checkpoint = checkpoint_or_404(request, org, name)
    names = (storable(request.GET.get(field, "").strip()) for field in ("before", "after"))
    before, after = (quote(one, safe="") for one in names)
    page = checkpoint.get_absolute_url()
    if not before or not after:
        return redirect(f"{page}/commits/main")
    return redirect(f"{page}/compare/{before}...{after}")


@require_safe
@with_refusals
def version_compare(request: HttpRequest, org: str, name: str, rest: str) -> HttpResponse:
    """`BEFORE...AFTER`: the files that differ; `?path=` shows the lines of a text file.

    Git's `BEFORE..AFTER` redirects there, which is safe since no revision's name contains `..`.
    """
    checkpoint = checkpoint_or_404(request, org, name)
    names = rest.split("...")
    if len(names) == 1 and len(two := rest.split("..")) == 2 and all(two):
        address = "...".join(quote(one, safe="") for one in two)
        return redirect(f"{checkpoint.get_absolute_url()}/compare/{address}")
    if len(names) != 2:
        raise Http404("a comparison names two revisions: BEFORE...AFTER")
    before, after = (_visible_or_refused(request, checkpoint, one) for one in names)
    comparison = compare(before, after)
    counts = comparison.counts()
    page = Paginator(comparison.changes, CHANGES_PER_PAGE).get_page(request.GET.get("page"))
    shown = next((c for c in comparison.changes if c.path == request.GET.get("path")), None)
    context = {
        "header": header(checkpoint, Tab.VERSIONS, after),
        "checkpoint": checkpoint,
        "names": names,
        "before": before,
        "after": after,
        "comparison": comparison,
        "counts": [(kind.value, counts[kind]) for kind in Kind],
        "page": page,
        "shown": shown,
        "lines": _lines(request, checkpoint, before, after, shown) if shown else None,
    }
    return render(request, "weights/checkpoint_pages/version_compare.html", context)


def _choice_label(revision: Revision, refs: list[Ref]) -> str:
    """A revision in a menu: its branches and tags, its message, and its id."""
    names = [ref.name for ref in refs if ref.revision_id == revision.pk]
    title = revision.title if len(revision.title) <= _TITLE else f"{revision.title[:_TITLE]}…"
    return " · ".join([*names[:3], title, revision.sha[:12]])


def _visible_or_refused(request: HttpRequest, checkpoint: Checkpoint, name: str) -> Revision:
    """Returns the visible revision of this name; 404 if it is unknown or hidden.

    Raises Refused for a withdrawn one, and if nothing is published.
    """
    if (revision := gate.find_revision(checkpoint, name)) is not None:
        return revision
    if (withdrawn := gate.withdrawn(checkpoint, name)) is not None:
        raise Refused(withdrawn)
    caller = session_caller(user_or_none(request))
    decision = gate.may_read_checkpoint(caller, checkpoint.repo_id, timezone.now())
    if not decision.allowed:
        raise Refused(decision)
    raise Http404(f"{checkpoint.repo_id} has no revision {name}")


def _lines(
    request: HttpRequest,
    checkpoint: Checkpoint,
    before: Revision,
    after: Revision,
    change: Change,
) -> list[Line] | None:
    """The changed lines of a small text file that the user may fetch in both revisions."""
    if change.kind is not Kind.CHANGED:
        return None
    caller, now = session_caller(user_or_none(request)), timezone.now()
    texts = []
    for revision in (before, after):
        decision = gate.decide(caller, checkpoint.repo_id, revision.sha, change.path, now)
        text = preview(caller, decision)
        if text is None:
            return None
        texts.append(text)
    return diff_lines(*texts)
