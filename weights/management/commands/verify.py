"""`manage.py verify`: read stored files again and say which are good."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from weights.integrity import progress_bars, verification
from weights.integrity.verification import Standing
from weights.management import named
from weights.publishing.models import Revision
from weights.storage.models import Blob


class Command(BaseCommand):
    help = "Queue a fresh verification of ORG/NAME or of everything; prints counts by result."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("repo_id", metavar="ORG/NAME", nargs="?")
        parser.add_argument("--wait", action="store_true", help="until every file has a result")

    def handle(self, *args: Any, **options: Any) -> None:
        repo_id = options["repo_id"]
        checkpoint = named.checkpoint(repo_id) if repo_id else None
        revisions = list(verification.revisions_to_verify(checkpoint))
        known = verification.standing(revisions)
        verification.ask_again(Blob.objects.filter(files__revision__in=revisions).distinct())
        standing = self._wait(revisions) if options["wait"] else known
        self._print(standing)

    def _wait(self, revisions: list[Revision]) -> Standing:
        try:
            return progress_bars.wait_for_checks(revisions)
        except progress_bars.NoWorker as error:
            raise CommandError(
                f"{error}; the check is asked for and will be done once a worker runs"
            ) from error

    def _print(self, standing: Standing) -> None:
        for result, count in standing.counts.items():
            if count or result == "verified":
                self.stdout.write(f"{result} {count}")
        for path, reason in standing.failures:
            self.stderr.write(f"{path}: {reason}")
        if standing.failures:
            raise CommandError(
                f"{len(standing.failures)} files failed; publish good copies of them again"
            )
