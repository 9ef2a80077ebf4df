"""The base class of the portal's commands."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from accounts.errors import DomainError


def sample_of(options: dict[str, Any]) -> int | None:
    """Return the number of blobs of `--sample`, or None. Raises CommandError if negative."""
    sample: int | None = options["sample"]
    if sample is not None and sample < 0:
        raise CommandError(f"--sample {sample}: use a number of blobs, 0 or more")
    return sample


class PortalCommand(BaseCommand):
    """Prints expected errors as one line on stderr and exits with 1."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except (DomainError, DatabaseError, OSError, ImproperlyConfigured) as error:
            raise CommandError(" ".join(str(error).split())) from error

    def print_now(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
