"""Pages of checkpoints; the last pattern takes any ORG/NAME, so these stand last."""

from django.urls import path

from weights.views import access, catalogue, checkpoints, export, files, recalls, reports

app_name = "weights"
urlpatterns = [
    path("", catalogue.home, name="home"),
    path("models", catalogue.checkpoint_list, name="checkpoint-list"),
    path("access/", access.access, name="access"),
    path("access/links/<str:org>/<str:name>/", access.link_request, name="link-request"),
    path("access/revoke/<uuid:public_id>/", access.link_revoke, name="link-revoke"),
    path("access/data/", export.export_list, name="export-list"),
    path("access/data/<uuid:public_id>/", export.export_fetch, name="export-fetch"),
    path("report/", reports.report_create, name="report-create"),
    path("report/<uuid:public_id>/", reports.report_detail, name="report-detail"),
    path("findings/", reports.finding_list, name="finding-list"),
    path("recalls/", recalls.recall_list, name="recall-list"),
    path("recalls/feed.atom", recalls.recall_feed, name="recall-feed"),
    path("recalls/<uuid:public_id>/", recalls.recall_detail, name="recall-detail"),
    path("<str:org>/<str:name>/tree/<path:rest>", files.tree, name="file-list"),
    path("<str:org>/<str:name>/blob/<path:rest>", files.file_detail, name="file-detail"),
    path("<str:org>/<str:name>", checkpoints.checkpoint_detail, name="checkpoint-detail"),
]
