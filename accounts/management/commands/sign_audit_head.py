"""`manage.py sign_audit_head`: sign the head of the audit trail now and copy it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.audit.merkle_log import copies, rollback, sealer, signed_heads
from accounts.audit.models import HeadCopy


class Command(BaseCommand):
    help = "Seal waiting rows, sign the head and copy it. Prints only the head on stdout."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--accept-rollback",
            action="store_true",
            help="sign although AUDIT_HEAD_COPY has heads that this database lost; on record",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["accept_rollback"]:
                self._accept_rollback()
            sealer.seal()
            head = signed_heads.sign()
        except (signed_heads.HeadRefused, OSError) as error:
            raise CommandError(str(error)) from error
        copies.retry()
        copies.sweep(timezone.now())
        self.stdout.write(head.note, ending="")
        failed = HeadCopy.objects.filter(done_at=None).order_by("pk").last()
        if failed is not None:
            raise CommandError(f"{failed.place} has no copy of it: {failed.last_error}")

    def _accept_rollback(self) -> None:
        for note in rollback.accept():
            self.stderr.write(f"accepted as lost: {rollback.describe(note)}")
