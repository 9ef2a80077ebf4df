"""`manage.py verify`: queue a fresh verification of stored files."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from weights.integrity import verification, waiting
from weights.integrity.verification import VerificationProgress
from weights.management.lookup import find_checkpoint
from weights.publishing.models import Revision
from weights.storage.models import Blob


class Command(BaseCommand):
    help = "Queue a fresh verification of ORG/NAME or of everything; prints counts by result."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("repo_id", metavar="ORG/NAME", nargs="?")
        parser.add_argument(
            "--wait", action="store_true", help="wait until every file has a result"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        repo_id = options["repo_id"]
        checkpoint = find_checkpoint(repo_id) if repo_id else None
        revisions = list(verification.revisions_to_verify(checkpoint))
        progress = verification.progress_of_revisions(revisions)
        verification.recheck(Blob.objects.filter(files__revision__in=revisions).distinct())
        progress = self._wait(revisions) if options["wait"] else progress
        self._print(progress)

    def _wait(self, revisions: list[Revision]) -> VerificationProgress:
        try:
            return waiting.until_verified(revisions)
        except waiting.NoWorker as error:
            raise CommandError(f"{error}; the check stays queued until a worker runs") from error

    def _print(self, progress: VerificationProgress) -> None:
        for result, count in progress.counts.items():
            if count or result == "verified":
                self.stdout.write(f"{result} {count}")
        for path, reason in progress.failures:
            self.stderr.write(f"{path}: {reason}")
        if progress.failures:
            raise CommandError(
                f"{len(progress.failures)} files failed; publish good copies of them again"
            )
