from django.apps import AppConfig
from django.db.models.signals import post_migrate

from accounts.audit import append_only
from accounts.roles.groups import sync_role_groups


class AccountsConfig(AppConfig):
    """People, tiers, licences, applications, grants, tokens and the audit trail."""

    name = "accounts"
    verbose_name = "People and access"

    def ready(self) -> None:
        # Imported after the models are loaded; the last ones connect signal receivers.
        from accounts.change_requests import acts  # noqa: PLC0415
        from accounts.grants.access_act import GiveAccess  # noqa: PLC0415
        from accounts.roles.assignment_act import GiveRole  # noqa: PLC0415
        from accounts.tiers.lowering_act import LowerTier  # noqa: PLC0415
        from accounts.users import (  # noqa: PLC0415
            reauthentication,  # noqa: F401
            signals,  # noqa: F401
        )

        for act in (GiveAccess(), GiveRole(), LowerTier()):
            acts.register(act)

        # Must run after the receiver of django.contrib.auth, which creates the permissions: that
        # app is earlier in INSTALLED_APPS, and receivers run in the order of connection.
        post_migrate.connect(sync_role_groups, dispatch_uid="accounts.sync_role_groups")
        restore = append_only.after_migrate(
            "accounts", "0001_squashed_0022_failed_items", append_only.TRAIL
        )
        post_migrate.connect(restore, sender=self, weak=False, dispatch_uid="accounts.append_only")
