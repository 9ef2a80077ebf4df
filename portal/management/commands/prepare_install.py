"""`manage.py prepare_install`: what runs once before the processes of a new version."""

from typing import Any

from django.core.management import BaseCommand

from portal.supervisor.preparation import prepare_data


class Command(BaseCommand):
    help = "Migrate the database and load the catalogue, before web, worker and beat start."

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_data(self.stdout.write)
