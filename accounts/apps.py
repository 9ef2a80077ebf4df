from django.apps import AppConfig
from django.db.models.signals import post_migrate

from accounts.groups import sync_role_groups


class AccountsConfig(AppConfig):
    """Who: people, tiers, licences, applications, grants, tokens, the audit trail."""

    name = "accounts"
    verbose_name = "People and access"

    def ready(self) -> None:
        # After django.contrib.auth's own receiver, which makes the permissions: it stands
        # first in INSTALLED_APPS, and receivers run in the order they were connected.
        post_migrate.connect(sync_role_groups, dispatch_uid="accounts.sync_role_groups")
