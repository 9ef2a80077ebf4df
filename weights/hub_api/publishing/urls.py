"""The Hub's write routes, which `weights.hub_api.urls` includes."""

from django.urls import path, re_path

from weights.hub_api.publishing import files, refs, repositories

_MODEL = r"^api/models/(?P<org>[^/]+)/(?P<name>[^/]+)"
_REVISION = r"(?P<revision>[\s\S]+)$"

urlpatterns = [
    path("api/repos/create", repositories.create, name="repository-create"),
    path("api/repos/delete", repositories.delete, name="repository-delete"),
    path("api/repos/move", repositories.move, name="repository-move"),
    path("api/validate-yaml", repositories.validate_yaml, name="validate-yaml"),
    re_path(rf"{_MODEL}/settings$", repositories.update_settings, name="repository-settings"),
    re_path(rf"{_MODEL}/auth-check/write$", repositories.write_check, name="auth-check-write"),
    re_path(
        rf"{_MODEL}/lfs-files(?:/(?P<rest>batch|duplicate))?$",
        repositories.lfs_files,
        name="lfs-files",
    ),
    re_path(rf"{_MODEL}/preupload/{_REVISION}", files.preupload, name="preupload"),
    re_path(rf"{_MODEL}/commit/{_REVISION}", files.commit, name="commit"),
    re_path(rf"{_MODEL}/branch/{_REVISION}", refs.branch, name="branch"),
    re_path(rf"{_MODEL}/tag/{_REVISION}", refs.tag, name="tag"),
    re_path(rf"{_MODEL}/super-squash/{_REVISION}", refs.super_squash, name="super-squash"),
]
