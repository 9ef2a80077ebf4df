"""Recalls for everybody: the list, its feed, and the page that each mail leads to."""

from uuid import UUID

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.feedgenerator import Atom1Feed
from django.views.decorators.http import require_safe

from accounts.templatetags.wording import sentence
from accounts.web.sanitize import one_line
from weights.recalls import notices
from weights.web.lookup import person

PAGE = 30


@require_safe
def recall_list(request: HttpRequest) -> HttpResponse:
    page = Paginator(notices.readable(person(request)), PAGE).get_page(request.GET.get("page"))
    told = notices.noticed(page.object_list, person(request))
    return render(request, "weights/recalls/recall_list.html", {"page": page, "notices": told})


@require_safe
def recall_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    recall = get_object_or_404(notices.readable(person(request)), public_id=public_id)
    return render(
        request,
        "weights/recalls/recall_detail.html",
        {"notice": notices.in_full(recall, person(request))},
    )


@require_safe
def recall_feed(request: HttpRequest) -> HttpResponse:
    """The newest as Atom; what only some may know of is in nobody's feed."""
    base = settings.PUBLIC_URL
    feed = Atom1Feed(
        title=f"Recalls of {settings.SITE_NAME}",
        link=f"{base}/recalls/",
        feed_url=f"{base}/recalls/feed.atom",
        description="Files and revisions that are called back",
    )
    for notice in notices.noticed(notices.readable(None)[:PAGE], None):
        recall = notice.recall
        feed.add_item(
            title=one_line(f"{recall.get_state_display()}: {notice.title}"),
            link=f"{base}{recall.get_absolute_url()}",
            description=sentence(recall.reason),
            unique_id=recall.public_id.urn,
            pubdate=recall.opened_at,
            updateddate=recall.changed_at,
        )
    return HttpResponse(feed.writeString("utf-8"), content_type="application/atom+xml")
