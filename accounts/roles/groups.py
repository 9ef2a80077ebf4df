"""Keep the groups of the staff roles as `accounts.roles` declares them.

Permissions are rows that Django makes after each migrate, app by app, so the groups are
filled then too: on a fresh database, after an upgrade, and after a test's flush.
"""

from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed_apps
from django.apps.registry import Apps
from django.db import DEFAULT_DB_ALIAS

from accounts.roles.permissions import PERMISSIONS


def sync_role_groups(
    sender: AppConfig,
    using: str = DEFAULT_DB_ALIAS,
    apps: Apps = installed_apps,
    **kwargs: Any,
) -> None:
    """Make each role's group, with exactly the declared permissions of the app `sender`.

    Permissions of other apps that an owner added to a group stay.
    """
    if sender.label not in LABELS:
        return
    try:
        group_model = apps.get_model("auth", "Group")
        permission_model = apps.get_model("auth", "Permission")
    except LookupError:  # migrated back to before these tables
        return
    present = permission_model.objects.using(using).filter(content_type__app_label=sender.label)
    for role, names in PERMISSIONS.items():
        group, _ = group_model.objects.using(using).get_or_create(name=str(role))
        codenames = {name.partition(".")[2] for name in names if _label(name) == sender.label}
        held = group.permissions.filter(content_type__app_label=sender.label)
        group.permissions.remove(*held.exclude(codename__in=codenames))
        group.permissions.add(*present.filter(codename__in=codenames))


def _label(name: str) -> str:
    """The app of a permission spelt `app.codename`."""
    return name.partition(".")[0]


LABELS = frozenset(_label(name) for names in PERMISSIONS.values() for name in names)
