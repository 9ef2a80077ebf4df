"""The Atom feed of the logbook."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.views.decorators.http import require_safe

from accounts.web.sanitize import multiline, one_line
from weights.logbook import queries

#: Entries in the feed.
FEED_SIZE = 50


@require_safe
def logbook_feed(request: HttpRequest) -> HttpResponse:
    """The newest entries that everybody may see; takes the timeline's filters."""
    base, wanted = settings.PUBLIC_URL, queries.Filter.from_parameters(request.GET.dict())
    query = f"?{wanted.encoded}" if wanted.encoded else ""
    feed = Atom1Feed(
        title=f"Training logbook of {settings.SITE_NAME}",
        link=base + reverse("weights:logbook-list") + query,
        feed_url=base + reverse("weights:logbook-feed") + query,
        description="Events of training and release",
    )
    newest = queries.entries(wanted, None).order_by("-created_at", "-date", "-pk")
    for entry in newest[:FEED_SIZE]:
        feed.add_item(
            title=one_line(f"{entry.day}: {entry.title} ({entry.subject})"),
            link=base + entry.get_absolute_url(),
            description=multiline(entry.text),
            unique_id=entry.public_id.urn,
            pubdate=entry.created_at,
            updateddate=entry.changed_at,
            categories=[entry.cause],
        )
    return HttpResponse(feed.writeString("utf-8"), content_type="application/atom+xml")
