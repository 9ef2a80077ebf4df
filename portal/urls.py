"""The URLs of the portal."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from portal import views
from portal.admin import account_urls
from portal.documentation.views import page

#: Without sign-in providers, allauth's pages for them return 404.
_NO_PROVIDERS: list[URLPattern | URLResolver] = (
    []
    if settings.SOCIAL_ORIGINS
    else [re_path(r"^accounts/(?:3rdparty|social)/", views.always_not_found)]
)

urlpatterns = [
    *_NO_PROVIDERS,
    path(settings.ADMIN_PATH, admin.site.urls),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("favicon.ico", views.favicon, name="favicon"),
    path(".well-known/security.txt", views.security_txt, name="security-txt"),
    path("accounts/", account_urls.urls),
    path("", include("weights.api.urls")),  # before the Hub's, which match the rest of /api/
    path("", include("weights.uploads.urls")),
    path("", include("weights.uploads.xet.urls")),
    path("", include("weights.hub_api.urls")),
    path("", include("weights.delivery.urls")),
    re_path(r"^docs/(?P<path>.*)$", page, name="documentation"),
    path("", include("accounts.urls")),
    path("", include("weights.urls")),  # last: it matches any ORG/NAME
]

handler400 = views.bad_request
handler403 = views.forbidden
handler404 = views.not_found
handler429 = "portal.views.too_many"  # allauth looks the view up by this name
handler500 = views.server_error
