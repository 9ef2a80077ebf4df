"""The Hub's URLs, at the root of the portal and resolved before its pages.

The patterns accept any name, so that an unknown one gets the Hub's error instead of a page.
"""

from django.urls import include, path, re_path

from weights.hub_api import access_requests, gguf_manifests, model_list, views

app_name = "hub"

_ID = r"(?P<org>[^/]+)/(?P<name>[^/]+)"
_MODEL = rf"^api/models/{_ID}"
_ROUTES = (
    "revision|tree|paths-info|refs|commits|auth-check|user-access-request"
    "|settings|preupload|commit|branch|tag|super-squash|lfs-files"
)
_KIND = "(?P<kind>datasets|spaces)"
_REQUESTS = rf"{_MODEL}/user-access-request"

#: Requested by scripts thousands of times; `portal.middleware.fast_path` calls them directly.
SCRIPT_ROUTES = [
    re_path(rf"^{_ID}/resolve/(?P<rest>[\s\S]+)$", views.resolve, name="resolve"),
    re_path(rf"{_MODEL}/tree/(?P<rest>[\s\S]+)$", views.tree, name="tree"),
    re_path(rf"{_MODEL}/revision/(?P<revision>[\s\S]+)$", views.model_info, name="revision-info"),
]
urlpatterns = [
    *SCRIPT_ROUTES,
    re_path(rf"^{_ID}/raw/(?P<rest>[\s\S]+)$", views.raw, name="raw"),
    re_path(
        rf"^v2/{_ID}/manifests/(?P<tag>[^/]+)$", gguf_manifests.gguf_manifest, name="gguf-manifest"
    ),
    path("", include("weights.hub_api.publishing.urls")),
    path("api/whoami-v2", views.whoami, name="whoami"),
    re_path(r"^oauth/(?:device|token)$", views.browser_login, name="browser-login"),
    path("api/models", model_list.model_list, name="model-list"),
    re_path(rf"{_MODEL}$", views.model_info, name="model-info"),
    re_path(rf"{_MODEL}/paths-info/(?P<revision>[\s\S]+)$", views.paths_info, name="paths-info"),
    re_path(rf"{_MODEL}/refs$", views.refs, name="refs"),
    re_path(rf"{_MODEL}/commits/(?P<revision>[\s\S]+)$", views.commits, name="commits"),
    re_path(rf"{_MODEL}/auth-check$", views.auth_check, name="auth-check"),
    re_path(
        rf"{_REQUESTS}/(?P<standing>pending|accepted|rejected)$",
        access_requests.access_request_list,
        name="access-requests",
    ),
    re_path(rf"{_REQUESTS}/handle$", access_requests.handle, name="access-request-handle"),
    re_path(rf"{_REQUESTS}/grant$", access_requests.grant, name="access-request-grant"),
    re_path(r"^api/models/(?P<name>[^/]+)$", views.unknown_repository),
    re_path(rf"^api/models/(?P<name>[^/]+)/(?:{_ROUTES})(?:/[\s\S]*)?$", views.unknown_repository),
    re_path(rf"^api/{_KIND}/(?P<rest>[\s\S]+)$", views.other_kind, name="other-kind"),
    re_path(r"^api(?:/(?P<rest>[\s\S]*))?$", views.unknown_url, name="unknown-address"),
    re_path(
        rf"^{_KIND}/(?P<rest>[^/]+/[^/]+/resolve/[\s\S]+)$",
        views.other_kind,
        name="other-kind-file",
    ),
    re_path(r"^(?P<name>[^/]+)/resolve/[\s\S]+$", views.unknown_repository),
]
