"""Where signed links lead."""

from django.urls import path

from weights import doors

app_name = "delivery"
urlpatterns = [
    path("f/<str:org>/<str:name>/<str:sha>/<path:path>", doors.file_link, name="file-link"),
    path("d/<str:token>", doors.link_folder_without_slash, name="link-folder-bare"),
    path("d/<str:token>/", doors.link_folder, name="link-folder"),
    path("d/<str:token>/<path:path>", doors.checkpoint_link, name="checkpoint-link"),
]
