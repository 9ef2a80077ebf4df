"""`manage.py sign_audit_head`: sign the head of the audit trail now and copy it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.audit.merkle_log import copies, heads, sealer
from accounts.audit.models import HeadCopy


class Command(BaseCommand):
    help = "Seal waiting rows, sign the head and copy it. Prints only the head on stdout."

    def handle(self, *args: Any, **options: Any) -> None:
        sealer.seal()
        try:
            head = heads.sign()
        except heads.HeadRefused as error:
            raise CommandError(str(error)) from error
        copies.retry()
        copies.sweep(timezone.now())
        self.stdout.write(head.note, ending="")
        failed = HeadCopy.objects.filter(done_at=None).order_by("pk").last()
        if failed is not None:
            raise CommandError(f"{failed.place} has no copy of it: {failed.last_error}")
