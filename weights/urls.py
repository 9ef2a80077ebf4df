"""URLs of pages; include them last, since the last pattern matches any ORG/NAME."""

from django.urls import include, path, register_converter
from django.urls.converters import StringConverter
from django.views.generic import RedirectView

from weights.catalogue import checkpoint_views, file_views, views
from weights.catalogue.listing import views as listing
from weights.catalogue.listing.org_converter import OrgConverter
from weights.checkpoint_pages import image_views as images
from weights.checkpoint_pages import issue_views as issues
from weights.checkpoint_pages import version_views as versions
from weights.family_facts import views as family_facts
from weights.hardware_fit import views as hardware_fit
from weights.known_issues import views as known_issues
from weights.logbook import feed as logbook_feed
from weights.logbook import views as logbook
from weights.manifests import key_views
from weights.manifests import views as manifests
from weights.my_access import views as my_access
from weights.privacy import views as export
from weights.publishing.feed import release_feed
from weights.recalls import feed
from weights.recalls import views as recalls
from weights.reports import views as reports
from weights.web import crawlers


class RevisionId(StringConverter):
    regex = "[0-9a-f]{40}"


register_converter(RevisionId, "sha")
register_converter(OrgConverter, "organisation")

app_name = "weights"
_REVISION = "<str:org>/<str:name>/manifest/<sha:sha>"
urlpatterns = [
    path("", views.home, name="home"),
    path("robots.txt", crawlers.robots_txt, name="robots"),
    path("sitemap.xml", crawlers.sitemap_xml, name="sitemap"),
    path("releases.atom", release_feed, name="release-feed"),
    path("models", listing.checkpoint_list, name="checkpoint-list"),
    path("will-it-run", hardware_fit.will_it_run, name="will-it-run"),
    path("my-checkpoints/", include("weights.owner_pages.urls")),
    path("access/", my_access.access, name="access"),
    path("access/downloads/", my_access.downloads, name="download-list"),
    path("access/links/<str:org>/<str:name>/", my_access.link_request, name="link-request"),
    path("access/revoke/<uuid:public_id>/", my_access.link_revoke, name="link-revoke"),
    path("access/data/", export.export_list, name="export-list"),
    path("access/data/<uuid:public_id>/", export.export_fetch, name="export-fetch"),
    path("report/", reports.report_create, name="report-create"),
    path("report/<uuid:public_id>/", reports.report_detail, name="report-detail"),
    path("findings/", known_issues.finding_list, name="finding-list"),
    path("logbook/", logbook.logbook_list, name="logbook-list"),
    path("logbook/feed.atom", logbook_feed.logbook_feed, name="logbook-feed"),
    path("logbook/<uuid:public_id>/", logbook.logbook_entry, name="logbook-entry"),
    path("footprint/", family_facts.footprint_list, name="footprint-list"),
    path("openness/", family_facts.openness_list, name="openness-list"),
    path("openness/<slug:slug>/", family_facts.openness_detail, name="openness-detail"),
    path(
        "openness/<slug:slug>/citation.<str:form>", family_facts.citation_file, name="citation-file"
    ),
    path("recalls/", recalls.recall_list, name="recall-list"),
    path("recalls/feed.atom", feed.recall_feed, name="recall-feed"),
    path("recalls/<uuid:public_id>/", recalls.recall_detail, name="recall-detail"),
    path("keys/", key_views.key_list, name="key-list"),
    path("keys/<slug:key_id>.pem", key_views.key_file, name="key-file"),
    path(f"{_REVISION}.json", manifests.manifest, name="manifest"),
    path(f"{_REVISION}.sig", manifests.signature, name="manifest-signature"),
    path(f"{_REVISION}/SHA256SUMS", manifests.sums, name="manifest-sums"),
    path("<str:org>/<str:name>/tree/<path:rest>", file_views.file_list, name="file-list"),
    path("<str:org>/<str:name>/blob/<path:rest>", file_views.file_detail, name="file-detail"),
    path("<str:org>/<str:name>/image/<sha:sha>/<path:path>", images.image, name="image"),
    path("<str:org>/<str:name>/commits/<path:rest>", versions.version_list, name="version-list"),
    # The URL that the Hub's clients print after an upload.
    path(
        "<str:org>/<str:name>/commit/<sha:sha>",
        RedirectView.as_view(url="/%(org)s/%(name)s/tree/%(sha)s"),
        name="commit-detail",
    ),
    path("<str:org>/<str:name>/compare", versions.compare_start, name="compare-start"),
    path("<str:org>/<str:name>/compare/<path:rest>", versions.version_compare, name="compare"),
    path("<str:org>/<str:name>/issues", issues.checkpoint_issues, name="checkpoint-issues"),
    path("<organisation:org>", listing.org_detail, name="org-detail"),
    path("<str:org>/<str:name>", checkpoint_views.checkpoint_detail, name="checkpoint-detail"),
]
