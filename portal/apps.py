from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.db.backends.signals import connection_created


class PortalConfig(AppConfig):
    """Wiring: settings, URLs, Celery, health, quickstart. The other apps do not import it."""

    name = "portal"

    def ready(self) -> None:
        # These modules import models, which are loaded only now.
        from portal import checks  # noqa: F401, PLC0415
        from portal.databases import read_only  # noqa: PLC0415
        from portal.server import interrupted_work, task_context, worker_sealer  # noqa: F401, PLC0415
        from portal.settings import audit_record  # noqa: F401, PLC0415

        connection_created.connect(read_only.guard)


class PortalAdminConfig(admin_apps.AdminConfig):
    """Django's admin with our site."""

    default = False
    default_site = "portal.admin.site.PortalAdminSite"
