"""Every address of the portal."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path(settings.ADMIN_PATH, admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("weights.hub_api.urls")),  # before the pages: these answer scripts
    path("", include("weights.delivery_urls")),
]
