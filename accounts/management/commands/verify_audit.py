"""`manage.py verify_audit`: is the sealed trail as it was written?"""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.sealing.checking import Check, TrailAltered


class Command(BaseCommand):
    help = "Check every sealed row of trail and ledger, the batches and the signed heads."

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        check = Check()
        try:
            check.to_the_end()
        except TrailAltered as error:
            raise CommandError(str(error)) from error
        finally:
            self._tell(check, time.monotonic() - started)

    def _tell(self, check: Check, seconds: float) -> None:
        done = check.done
        self.stdout.write(f"rows checked: {done.rows}")
        self.stdout.write(f"batches: {done.batches}")
        self.stdout.write(f"signed heads: {done.heads}")
        self.stdout.write(f"rows a second: {done.rows / max(seconds, 1e-9):.0f}")
