"""`manage.py health`: print the lines of the health page, for monitoring without a browser."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error

from portal.health import findings
from portal.health.findings import Line

#: State of a line -> exit code of a Nagios plugin.
EXIT_CODES = {"ok": 0, "late": 1, "alarm": 2}


class Command(BaseCommand):
    help = "Print the findings of the health page. Exit 0: fine, 1: something is late, 2: an alarm."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument("--quiet", action="store_true", help="leave out what is fine")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            lines = findings.lines()
        except Error as error:
            reason = " ".join(str(error).split())
            lines = [Line("Database", "alarm", f"cannot be read: {reason}"[:300])]
        worst = max((line.state for line in lines), key=lambda state: EXIT_CODES[state])
        shown = [line for line in lines if line.state != "ok" or not options["quiet"]]
        if options["json"]:
            document = {"state": worst, "findings": [_document(line) for line in shown]}
            self.stdout.write(json.dumps(document, indent=2))
        else:
            for line in shown:
                self.stdout.write(f"{line.word:<6} {line.name}: {line.text}")
        if code := EXIT_CODES[worst]:
            sys.exit(code)


def _document(line: Line) -> dict[str, str]:
    fields = asdict(line)
    return {name: fields[name] for name in ("name", "state", "text")}
