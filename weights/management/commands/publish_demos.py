"""`manage.py publish_demos`: the synthetic checkpoints of a first start."""

from typing import Any

from django.conf import settings
from django.conf import settings
from django.core.management import BaseCommand, CommandError

from weights.demo import publish_demos
from weights.errors import WeightsError


class Command(BaseCommand):
    help = "Publish the synthetic demo checkpoints that this install never had."

    def handle(self, *args: Any, **options: Any) -> None:
        if not hasattr(settings, "DATA_DIR"):
            raise CommandError(
                "publish_demos belongs to the embedded install; publish folders of your own with "
                "manage.py publish"
            )
        try:
            names = publish_demos(settings.DATA_DIR)
        except WeightsError as error:
            raise CommandError(str(error)) from error
        for name in names:
            self.stdout.write(name)
