"""The Atom feed of recalls."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.views.decorators.http import require_safe

from accounts.templatetags.wording import sentence
from accounts.web.sanitize import one_line
from weights.recalls import notices

#: Recalls in the feed.
FEED_SIZE = 30


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
    for notice in notices.notices_for(notices.visible_recalls(None)[:FEED_SIZE], None):
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
