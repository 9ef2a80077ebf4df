"""The logbook's timeline and the page of one entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import urlencode
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from accounts.users.models import User
from accounts.web.current_user import user_or_none
from accounts.web.markdown import to_html
from weights.logbook import figures, queries
from weights.logbook.models import Cause, LogbookEntry, LogbookQuerySet

PAGE_SIZE = 50
#: Most curves above the timeline; filter by checkpoint or family to see others.
MAX_CURVES = 4


@dataclass(frozen=True)
class ShownEntry:
    """An entry, the branch or tag of its step (empty if there is none), and its text as HTML."""

    entry: LogbookEntry
    ref: str
    text: SafeString


@gzip_page  # it lists every entry, so it is the portal's largest page
@require_safe
def logbook_list(request: HttpRequest) -> HttpResponse:
    """The timeline, filtered by the query parameters, with the curves of its runs."""
    user, wanted = user_or_none(request), queries.Filter.from_parameters(request.GET.dict())
    newest_first = request.GET.get("order") == "newest"
    found = queries.entries(wanted, user)
    ordered = found.order_by("-date", "-pk") if newest_first else found.order_by("date", "pk")
    page = Paginator(ordered, PAGE_SIZE).get_page(request.GET.get("page"))
    families, checkpoints = queries.choices(user)
    context = {
        "wanted": wanted,
        "newest_first": newest_first,
        "page": page,
        "months": _by_month(_shown(list(page.object_list), top=4)),
        "page_query": _parameters(wanted, newest_first=newest_first),
        "figures": _figures(wanted, user, found),
        "causes": Cause.choices,
        "families": families,
        "checkpoints": checkpoints,
    }
    return render(request, "weights/logbook/logbook_list.html", context)


@require_safe
def logbook_entry(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One entry, with its neighbours in time about the same subject, and its curves."""
    user = user_or_none(request)
    visible = queries.entries(queries.Filter(), user)
    entry = visible.filter(public_id=public_id).first()
    if entry is None:
        raise Http404("there is no such entry in the logbook")
    subject = visible.filter(checkpoint=entry.checkpoint, family=entry.family)
    later = Q(date__gt=entry.date) | Q(date=entry.date, pk__gt=entry.pk)
    series = queries.curves(queries.Filter(), user).filter(
        checkpoint=entry.checkpoint, family=entry.family
    )
    drawn = [figures.figure(one, [entry]) for one in series]
    context = {
        "entry": entry,
        "shown": _shown([entry], top=2)[0],
        "previous": subject.exclude(later).exclude(pk=entry.pk).order_by("-date", "-pk").first(),
        "next": subject.filter(later).first(),
        "figures": [figure for figure in drawn if figure.pinned],
    }
    return render(request, "weights/logbook/logbook_entry.html", context)


def _shown(listed: Sequence[LogbookEntry], *, top: int) -> list[ShownEntry]:
    """Entries with their texts, whose headings start at level `top`."""
    refs = queries.step_refs(listed)
    return [
        ShownEntry(
            entry,
            refs.get((entry.checkpoint_id, entry.step), ""),
            to_html(entry.text, top=top),
        )
        for entry in listed
    ]


def _by_month(shown: list[ShownEntry]) -> list[tuple[str, list[ShownEntry]]]:
    """Consecutive entries by the month of their first day: `November 2021`."""
    months = groupby(shown, key=lambda one: f"{one.entry.date:%B %Y}")
    return [(month, list(of_month)) for month, of_month in months]


def _parameters(wanted: queries.Filter, *, newest_first: bool) -> str:
    """The query parameters of links to other pages of the list, each followed by `&`."""
    order = urlencode({"order": "newest"}) if newest_first else ""
    return "".join(f"{part}&" for part in (wanted.encoded, order) if part)


def _figures(
    wanted: queries.Filter, user: User | None, found: LogbookQuerySet[LogbookEntry]
) -> list[figures.Figure]:
    series = list(queries.curves(wanted, user)[:MAX_CURVES])
    if not series:
        return []
    subjects = Q(checkpoint__in=[one.checkpoint_id for one in series]) | Q(
        family__in=[one.family_id for one in series]
    )
    pinned = list(found.filter(subjects))
    return [figures.figure(one, pinned) for one in series]
