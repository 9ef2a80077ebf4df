"""`manage.py quickstart`: run the whole portal on this machine under one parent process."""

from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser

from portal.errors import QuickstartError
from portal.supervisor import quickstart


class Command(BaseCommand):
    help = "Prepare the install and run web server, worker, beat and broker until stopped."
    # The database may not exist yet; migrate runs the checks that matter.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--no-demo", action="store_true", help="publish no synthetic demo checkpoints"
        )
        parser.add_argument(
            "--reload", action="store_true", help="restart the processes when sources change"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not hasattr(settings, "DATA_DIR"):
            raise CommandError(
                "quickstart runs the embedded install; unset DJANGO_SETTINGS_MODULE, "
                "or start the processes one by one: python -m portal.processes web"
            )
        if not 1 <= options["port"] <= 65535:
            raise CommandError(f"port {options['port']} is outside 1 to 65535; choose another")
        try:
            quickstart.run(
                quickstart.Address(options["host"], options["port"]),
                demo=not options["no_demo"],
                say=self._say,
                reload=options["reload"],
            )
        except QuickstartError as error:
            raise CommandError(str(error)) from error

    def _say(self, line: str) -> None:
        """Print without buffering; a closed terminal must not prevent an orderly stop."""
        with suppress(OSError):
            self.stdout.write(line)
            self.stdout.flush()
