"""`manage.py check_install`: use every part of the install once, and print what is wrong."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from portal.install_check import findings, machine, services, store


class Command(BaseCommand):
    help = (
        "Use database, store, queue, cache and mail server once, look at keys, clocks, disks and"
        " backups, and print a line for each. Exit 0: no fault, 1: a fault."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        checks: dict[str, findings.Check] = {
            "Settings": machine.django_checks,
            "Keys": machine.keys,
            "Database": services.database,
            "Queue (BROKER_URL)": services.queue,
            "Cache (CACHE_URL)": services.cache,
            "Mail (EMAIL_URL)": services.mail,
            "Store (WEIGHTS_STORAGE)": store.store,
            "Static files": machine.static_files,
            "Disks": machine.disks,
            "Last backup": machine.backups,
            "Address (PUBLIC_URL)": machine.address,
        }
        found = list(findings.run(checks))
        is_sound = not any(each.state == "fault" for each in found)
        if options["json"]:
            document = {"ok": is_sound, "findings": [asdict(each) for each in found]}
            self.stdout.write(json.dumps(document, indent=2))
        else:
            for each in found:
                self.stdout.write(f"{each.state:<8} {each.name}: {each.text}")
        if not is_sound:
            sys.exit(1)
