"""`manage.py prepare_install`: migrate and load the catalogue, before a new version starts."""

from typing import Any

from django.core.management import BaseCommand, call_command
from django.db import connections

from weights.catalogue import opt_family
from weights.logbook import loading as logbook


class Command(BaseCommand):
    help = "Migrate the database and load the catalogue, before web, worker and beat start."

    def handle(self, *args: Any, **options: Any) -> None:
        """Change nothing if the install is already prepared."""
        call_command("migrate", interactive=False, verbosity=0)
        if opt_family.load():
            self.stdout.write("catalogue: loaded")
        if logbook.load():
            self.stdout.write("logbook: loaded")
        connections.close_all()
