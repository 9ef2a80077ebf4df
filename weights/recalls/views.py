"""Public pages of recalls: the list, its Atom feed, and the page of each recall."""

from uuid import UUID

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.views.decorators.http import require_safe

from accounts.templatetags.wording import sentence
from accounts.web.current_user import user_or_none
from accounts.web.sanitize import one_line
from weights.recalls import notices

PAGE_SIZE = 30


@require_safe
def recall_list(request: HttpRequest) -> HttpResponse:
    page = Paginator(notices.visible_recalls(user_or_none(request)), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    listed = notices.notices_for(page.object_list, user_or_none(request))
    return render(request, "weights/recalls/recall_list.html", {"page": page, "notices": listed})


@require_safe
def recall_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    recall = get_object_or_404(notices.visible_recalls(user_or_none(request)), public_id=public_id)
    return render(
        request,
        "weights/recalls/recall_detail.html",
        {"notice": notices.notice_detail(recall, user_or_none(request))},
    )


@require_safe
def recall_feed(request: HttpRequest) -> HttpResponse:
    """The newest recalls that are visible to everybody, as Atom."""
    base = settings.PUBLIC_URL
    feed = Atom1Feed(
        title=f"Recalls of {settings.SITE_NAME}",
        link=base + reverse("weights:recall-list"),
        feed_url=base + reverse("weights:recall-feed"),
        description="Recalled files and revisions",
    )
    for notice in notices.notices_for(notices.visible_recalls(None)[:PAGE_SIZE], None):
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
