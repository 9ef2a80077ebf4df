"""URLs of signed links."""

from django.urls import path

from weights.delivery import views

app_name = "delivery"
#: Scripts request these thousands of times; `portal.middleware.fast_path` resolves them first.
SCRIPT_ROUTES = [
    path("f/<str:org>/<str:name>/<str:sha>/<path:path>", views.file_link, name="file-link"),
    path("d/<str:token>/<path:path>", views.checkpoint_link, name="checkpoint-link"),
]
urlpatterns = [
    path("d/<str:token>", views.link_folder_without_slash, name="link-folder-bare"),
    path("d/<str:token>/", views.link_folder, name="link-folder"),
    *SCRIPT_ROUTES,
]
