"""`manage.py migrate_storage`: copy every blob from one store to another."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import models

from accounts.management import progress_bars
from accounts.management.base import PortalCommand
from weights.storage import migration, store_at
from weights.storage.migration import CopyReport


class Command(PortalCommand):
    help = (
        "Copy every blob FROM one store TO another (file:///folder or s3://bucket/prefix), and"
        " check its SHA-256. Blobs that TO already has are read, and replaced if wrong. Run it"
        " again to continue; the portal can keep serving."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", metavar="FROM")
        parser.add_argument("target", metavar="TO")
        parser.add_argument(
            "--trust-size",
            action="store_true",
            help="trust blobs of the right size in TO without reading them: for a run soon after"
            " one that read or copied them all, if nobody else writes to TO",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        moved = _move(options["source"], options["target"], trust_size=options["trust_size"])
        quarantined = migration.blobs_left_out().count()
        over = f" ({moved.replaced} over other bytes)" if moved.replaced else ""
        self.stdout.write(f"copied {moved.copied}{over}")
        self.stdout.write(f"present {moved.present}")
        self.stdout.write(f"failed {len(moved.failures)}")
        if quarantined:
            self.stdout.write(f"quarantined {quarantined} (not deleted)")
        for blob, why in moved.failures:
            self.stderr.write(f"{blob}: {why}")
        if moved.failures:
            raise CommandError(
                f"{len(moved.failures)} blobs were not copied; publish good copies of their"
                " files again, then run the same command"
            )


def _move(source: str, target: str, *, trust_size: bool) -> CopyReport:
    old, new = store_at(source), store_at(target)
    if old.address == new.address:
        raise CommandError(f"both stores are {old.address}; name two different ones")
    new.create()
    total = migration.blobs_to_copy().aggregate(size=models.Sum("size"))["size"] or 0
    with progress_bars.lazy_bar(total, "Copying") as advance:
        return migration.copy_all(old, new, advance, trust_size=trust_size)
