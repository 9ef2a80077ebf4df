"""The Atom feed of releases."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.views.decorators.http import require_safe

from accounts.web.sanitize import one_line
from weights.catalogue.models import Checkpoint
from weights.publishing.models import Revision

#: Revisions in the feed.
FEED_SIZE = 30


@require_safe
def release_feed(request: HttpRequest) -> HttpResponse:
    """The newest revisions of checkpoints that everybody may see, as Atom (RFC 4287)."""
    base = settings.PUBLIC_URL
    feed = Atom1Feed(
        title=f"Releases of {settings.SITE_NAME}",
        link=base + reverse("weights:checkpoint-list"),
        feed_url=base + reverse("weights:release-feed"),
        description="New checkpoints and revisions",
    )
    visible = Revision.objects.visible().filter(checkpoint__in=Checkpoint.objects.visible_to(None))
    for revision in visible.select_related("checkpoint").order_by("-visible_at")[:FEED_SIZE]:
        link = base + revision.get_absolute_url()
        feed.add_item(
            title=one_line(f"{revision.checkpoint} {revision.sha[:12]}"),
            link=link,
            description=one_line(revision.message or revision.checkpoint.summary),
            unique_id=link,
            pubdate=revision.visible_at,
        )
    return HttpResponse(feed.writeString("utf-8"), content_type="application/atom+xml")
