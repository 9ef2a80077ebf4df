"""Bring an install up to this version of the portal: at every start, embedded or not."""

from collections.abc import Callable

from django.core.management import call_command
from django.db import connections

from weights.catalogue import opt_family


def prepare_data(say: Callable[[str], None]) -> None:
    """Migrate the database and load the catalogue's entries; again, it changes nothing."""
    call_command("migrate", interactive=False, verbosity=0)
    if opt_family.load():
        say("catalogue: loaded")
    connections.close_all()
