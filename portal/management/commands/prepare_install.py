"""`manage.py prepare_install`: migrate and load the catalogue, before a new version starts."""

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.db import connections

from accounts.encryption import key_rotation
from portal.databases import readiness
from weights.catalogue import opt_family
from weights.logbook import loading as logbook


class Command(BaseCommand):
    help = (
        "Migrate the database, load the catalogue and encrypt stored secrets with the newest of "
        "ENCRYPTION_KEYS, before web, worker and beat start."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Change nothing if the install is already prepared."""
        if settings.READ_ONLY:
            self._demand_prepared()
            return
        call_command("migrate", interactive=False, verbosity=0)
        if opt_family.load():
            self.stdout.write("catalogue: loaded")
        if logbook.load():
            self.stdout.write("logbook: loaded")
        if count := key_rotation.encrypt_all():
            self.stdout.write(f"secrets: encrypted {count}")
        if unreadable := key_rotation.unreadable_factors():
            self.stderr.write(
                f"secrets: {len(unreadable)} second factors were encrypted with keys that"
                " ENCRYPTION_KEYS does not contain: add the keys, or run manage.py"
                " remove_second_factors --unreadable"
            )
        connections.close_all()

    def _demand_prepared(self) -> None:
        """Raise CommandError unless prepared, since read-only mode must not write."""
        if waiting := readiness.waiting_migrations():
            raise CommandError(
                f"{waiting} migrations wait, and READ_ONLY is set: run manage.py prepare_install"
                " without it, then start in read-only mode"
            )
        connections.close_all()
