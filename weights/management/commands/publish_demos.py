"""`manage.py publish_demos`: publish the synthetic demo checkpoints."""

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from weights.errors import WeightsError
from weights.publishing.demo import publish_demos


class Command(BaseCommand):
    help = "Publish the synthetic demo checkpoints that this install has never had."

    def handle(self, *args: Any, **options: Any) -> None:
        data_dir = getattr(settings, "DATA_DIR", None)
        if data_dir is None:
            raise CommandError(
                "publish_demos belongs to the embedded install; publish folders of your own with "
                "manage.py publish"
            )
        try:
            names = publish_demos(data_dir)
        except WeightsError as error:
            raise CommandError(str(error)) from error
        for name in names:
            self.stdout.write(name)
