"""`manage.py fill_demo`: fill a new install with invented people, decisions and downloads."""

from typing import Any

from django.conf import settings
from django.core.management import CommandError

from accounts.management.base import PortalCommand
from portal.demo_install import fill


class Command(PortalCommand):
    help = "Fill a new install with five invented months; refuses any other install."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        data_dir = getattr(settings, "DATA_DIR", None)
        if data_dir is None:
            raise CommandError(
                "fill_demo fills only an embedded install; unset DJANGO_SETTINGS_MODULE"
            )
        fill.run(data_dir, self.print_now)
