"""`manage.py publish_demos`: publish the synthetic demo checkpoints."""

from typing import Any

from django.conf import settings
from django.core.management import CommandError

from accounts.management.base import PortalCommand
from weights.publishing.demo import publish_demos


class Command(PortalCommand):
    help = "Publish the synthetic demo checkpoints that this install has not published yet."

    def handle(self, *args: Any, **options: Any) -> None:
        data_dir = getattr(settings, "DATA_DIR", None)
        if data_dir is None:
            raise CommandError(
                "publish_demos belongs to the embedded install; publish your own folders with "
                "manage.py publish"
            )
        for name in publish_demos(data_dir):
            self.stdout.write(name)
