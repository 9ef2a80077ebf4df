"""Synchronises the groups of the staff roles with `permissions.PERMISSIONS`.

Runs after each migrate of an app, when Django has created its permissions: on a new database,
after an upgrade, and after a test's flush.
"""

from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed_apps
from django.apps.registry import Apps
from django.db import DEFAULT_DB_ALIAS

from accounts.roles.permissions import PERMISSIONS


def sync_role_groups(
    sender: AppConfig, using: str = DEFAULT_DB_ALIAS, apps: Apps = installed_apps, **kwargs: Any
) -> None:
    """Give the group of each role exactly the permissions declared for the app `sender`.

    Permissions of apps for which none are declared stay in the groups.
    """
    if sender.label not in LABELS:
        return
    try:
        group_model = apps.get_model("auth", "Group")
        permission_model = apps.get_model("auth", "Permission")
    except LookupError:  # migrated back to before these tables
        return
    permissions = permission_model.objects.using(using).filter(content_type__app_label=sender.label)
    for role, names in PERMISSIONS.items():
        group, _ = group_model.objects.using(using).get_or_create(name=str(role))
        codenames = {name.partition(".")[2] for name in names if _label(name) == sender.label}
        current = group.permissions.filter(content_type__app_label=sender.label)
        group.permissions.remove(*current.exclude(codename__in=codenames))
        group.permissions.add(*permissions.filter(codename__in=codenames))


def _label(name: str) -> str:
    """Return the app label of a permission `app.codename`."""
    return name.partition(".")[0]


LABELS = frozenset(_label(name) for names in PERMISSIONS.values() for name in names)
