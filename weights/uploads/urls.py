"""The git LFS URLs at the portal's root. No repository name ends in `.git`, so none conflicts."""

from django.urls import re_path

from weights.uploads import views

app_name = "uploads"

_OBJECTS = r"^(?P<org>[^/]+)/(?P<name>[^/]+)\.git/info/lfs/objects"
_OBJECT = rf"{_OBJECTS}/(?P<sha256>[0-9a-f]{{64}})"

urlpatterns = [
    re_path(rf"{_OBJECTS}/batch$", views.batch, name="batch"),
    re_path(rf"{_OBJECTS}/verify$", views.verify, name="verify"),
    re_path(rf"{_OBJECT}$", views.send_object, name="object"),
    re_path(rf"{_OBJECT}/parts/(?P<number>[1-9][0-9]{{0,3}})$", views.send_part, name="part"),
    re_path(rf"{_OBJECT}/completion$", views.complete, name="completion"),
]
