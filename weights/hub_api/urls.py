"""The Hub's addresses, at the root of the portal; they stand before the pages.

Parts are taken as they come: a name that no checkpoint has is answered in the Hub's words.
"""

from django.urls import path, re_path

from weights.hub_api import access_requests, catalog, views

app_name = "hub"

_ID = r"(?P<org>[^/]+)/(?P<name>[^/]+)"
_MODEL = rf"^api/models/{_ID}"
_ROUTES = "revision|tree|paths-info|refs|commits|auth-check|user-access-request"
_KIND = "(?P<kind>datasets|spaces)"
_REQUESTS = rf"{_MODEL}/user-access-request"

#: What scripts ask for by the thousand; `portal.short_way` leads to them straight.
SCRIPT_ROUTES = [
    re_path(rf"^{_ID}/resolve/(?P<rest>[\s\S]+)$", views.resolve, name="resolve"),
    re_path(rf"{_MODEL}/tree/(?P<rest>[\s\S]+)$", views.tree, name="tree"),
    re_path(rf"{_MODEL}/revision/(?P<revision>[\s\S]+)$", views.model_info, name="revision-info"),
]
urlpatterns = [
    *SCRIPT_ROUTES,
    path("api/whoami-v2", views.whoami, name="whoami"),
    re_path(r"^oauth/(?:device|token)$", views.browser_login, name="browser-login"),
    path("api/models", catalog.models, name="model-list"),
    re_path(rf"{_MODEL}$", views.model_info, name="model-info"),
    re_path(rf"{_MODEL}/paths-info/(?P<revision>[\s\S]+)$", views.paths_info, name="paths-info"),
    re_path(rf"{_MODEL}/refs$", views.refs, name="refs"),
    re_path(rf"{_MODEL}/commits/(?P<revision>[\s\S]+)$", views.commits, name="commits"),
    re_path(rf"{_MODEL}/auth-check$", views.auth_check, name="auth-check"),
    re_path(rf"{_MODEL}/auth-check/write$", views.write_check, name="auth-check-write"),
    re_path(
        rf"{_REQUESTS}/(?P<standing>pending|accepted|rejected)$",
        access_requests.listed,
        name="access-requests",
    ),
    re_path(rf"{_REQUESTS}/handle$", access_requests.handle, name="access-request-handle"),
    re_path(rf"{_REQUESTS}/grant$", access_requests.grant, name="access-request-grant"),
    re_path(r"^api/models/(?P<name>[^/]+)$", views.unknown_repository),
    re_path(rf"^api/models/(?P<name>[^/]+)/(?:{_ROUTES})(?:/[\s\S]*)?$", views.unknown_repository),
    re_path(rf"^api/{_KIND}/(?P<rest>[\s\S]+)$", views.other_kind, name="other-kind"),
    re_path(r"^api(?:/(?P<rest>[\s\S]*))?$", views.unknown_address, name="unknown-address"),
    re_path(
        rf"^{_KIND}/(?P<rest>[^/]+/[^/]+/resolve/[\s\S]+)$",
        views.other_kind,
        name="other-kind-file",
    ),
    re_path(r"^(?P<name>[^/]+)/resolve/[\s\S]+$", views.unknown_repository),
]
