"""Files for search engines: robots.txt (RFC 9309) and sitemap.xml (sitemaps.org)."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sitemaps import Sitemap
from django.contrib.sitemaps.views import sitemap
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.tiers.models import Licence, Tier
from weights.catalogue.models import Checkpoint, CheckpointQuerySet
from weights.family_facts.queries import visible_families
from weights.logbook.models import LogbookEntry, LogbookQuerySet

#: Personal pages and forms, with everything below them. The admin's path is secret, so not here.
_PRIVATE = (
    *("weights:access", "weights:own-list", "weights:report-create", "accounts:application-list"),
    *("accounts:token-list", "account_login", "account_signup", "account_reset_password"),
)


class _PublicSitemap(Sitemap):
    """URLs with the configured origin, whatever the request's Host is."""

    @property
    def protocol(self) -> str:  # type: ignore[override]
        return urlsplit(settings.PUBLIC_URL).scheme

    def get_domain(self, site: object = None) -> str:
        return urlsplit(settings.PUBLIC_URL).netloc


class Checkpoints(_PublicSitemap):
    """Checkpoints that everybody may see."""

    def items(self) -> CheckpointQuerySet:
        return Checkpoint.objects.visible_to(None).order_by("pk")

    def lastmod(self, checkpoint: Checkpoint) -> datetime:
        return checkpoint.updated_at


class Pages(_PublicSitemap):
    """Public pages that are not checkpoints."""

    def items(self) -> list[str]:
        names = (
            *("weights:home", "weights:checkpoint-list", "weights:logbook-list"),
            *("weights:footprint-list", "weights:openness-list", "accounts:transparency"),
        )
        tiers = (reverse("accounts:tier-detail", args=[tier.slug]) for tier in Tier.objects.all())
        licences = (
            reverse("accounts:licence-detail", args=[slug])
            for slug in Licence.objects.exclude(versions=None).values_list("slug", flat=True)
        )
        families = (
            reverse("weights:openness-detail", args=[family.slug])
            for family in visible_families(None)
        )
        return [*(reverse(name) for name in names), *tiers, *licences, *families]

    def location(self, path: str) -> str:
        return path


class LogbookEntries(_PublicSitemap):
    """Entries of the logbook that everybody may see."""

    def items(self) -> LogbookQuerySet[LogbookEntry]:
        return LogbookEntry.objects.visible_to(None).order_by("pk")

    def lastmod(self, entry: LogbookEntry) -> datetime:
        return entry.changed_at


@require_safe
def sitemap_xml(request: HttpRequest) -> HttpResponse:
    """At most 50,000 URLs per page (`?p=2`), the protocol's limit."""
    sections: dict[str, type[Sitemap[Any]] | Sitemap[Any]] = {
        "pages": Pages,
        "checkpoints": Checkpoints,
        "logbook": LogbookEntries,
    }
    return sitemap(request, sections)


@require_safe
def robots_txt(request: HttpRequest) -> HttpResponse:
    lines = [
        "User-agent: *",
        *(f"Disallow: {reverse(name)}" for name in _PRIVATE),
        "Disallow: /*/resolve/",
        f"Sitemap: {settings.PUBLIC_URL}{reverse('weights:sitemap')}",
    ]
    return HttpResponse(
        "".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8"
    )
