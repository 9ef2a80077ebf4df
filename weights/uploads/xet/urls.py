"""The URLs of the Xet protocol, resolved before the rest of the Hub's."""

from django.urls import path, re_path

from weights.uploads.xet import views

app_name = "xet"

_XET = r"^api/xet/(?P<endpoint>[A-Za-z0-9_-]{16})/v1"
_DIGEST = r"default/(?P<digest>[^/]+)"

urlpatterns = [
    re_path(
        r"^api/models/(?P<org>[^/]+)/(?P<name>[^/]+)/xet-write-token/(?P<revision>[\s\S]+)$",
        views.write_token,
        name="write-token",
    ),
    re_path(rf"{_XET}/xorbs/{_DIGEST}$", views.xorb_upload, name="xorb"),
    re_path(rf"{_XET}/xorb-grants/{_DIGEST}$", views.xorb_grant, name="xorb-grant"),
    re_path(
        rf"{_XET}/xorb-commits/{_DIGEST}/grant/(?P<grant>[0-9a-f]{{32}})$",
        views.xorb_commit,
        name="xorb-commit",
    ),
    re_path(rf"{_XET}/shards$", views.shard_upload, name="shard"),
    path("v1/telemetry", views.telemetry, name="telemetry"),
]
