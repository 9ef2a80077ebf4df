"""`manage.py scrub`: survey the store, read what is due, and report what is wrong."""

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import CommandError
from django.db import models
from django.utils import timezone

from accounts.management import progress_bars
from accounts.management.base import PortalCommand
from weights.catalogue.models import Checkpoint
from weights.integrity import scrub
from weights.integrity.models import StoreFinding, StoreSurvey
from weights.integrity.scrub import command
from weights.management.lookup import find_checkpoint
from weights.manifests.store_check import describe
from weights.storage.models import Blob


class Command(PortalCommand):
    help = (
        "Survey the store, and reread the blobs that are due, those of ORG/NAME, or --all."
        " Prints counts; exits 1 if anything is damaged, missing or unreadable."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("repo_id", metavar="ORG/NAME", nargs="?")
        parser.add_argument("--all", action="store_true", help="every blob, due or not")
        parser.add_argument(
            "--report", action="store_true", help="read nothing; print the last results"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        repo_id = options["repo_id"]
        checkpoint = find_checkpoint(repo_id) if repo_id else None
        wrong = self._report() if options["report"] else self._scrub(checkpoint, options["all"])
        if wrong:
            raise CommandError(
                f"damaged, missing, overlaid, unreadable or unread for too long: {wrong}"
                f" {'blob' if wrong == 1 else 'blobs'}; see docs/operating.md"
            )

    def _scrub(self, checkpoint: Checkpoint | None, everything: bool) -> int:
        """Survey the store, read the blobs, print counts. Returns the number of bad blobs."""
        survey = command.survey_now()
        ids = command.ids_to_read(checkpoint, everything=everything)
        total = Blob.objects.filter(pk__in=ids).aggregate(size=models.Sum("size"))["size"] or 0
        results: Counter[str] = Counter()
        bad: set[str] = set()
        with progress_bars.lazy_bar(total, "Scrubbing") as advance:
            for blob, result in command.read_all(ids, advance):
                results[result] += 1
                if result != Blob.State.VERIFIED:
                    bad.add(describe(blob))
        quarantined = {describe(blob) for blob in command.quarantined(checkpoint)} - bad
        results[Blob.State.QUARANTINED] += len(quarantined)
        bad |= quarantined
        for word in ("verified", "quarantined", "unreadable", "waiting"):
            if results[word] or word == "verified":
                self.stdout.write(f"{word} {results[word]}")
        for line in sorted(bad):
            self.stderr.write(line)
        return len(bad | self._print_survey(survey))

    def _report(self) -> int:
        survey = scrub.last_one()
        late = scrub.late(timezone.now())
        quarantined = command.quarantined()
        self.stdout.write(f"quarantined {quarantined.count()}")
        self.stdout.write(f"behind schedule {late.count()}")
        bad = {describe(blob) for blob in (quarantined | late).distinct()}
        for line in sorted(bad):
            self.stderr.write(line)
        if survey is None:
            self.stderr.write("the store has not been surveyed yet; run: manage.py scrub")
            return len(bad) or 1
        if survey.trouble:
            raise CommandError(f"the last survey of the store failed: {survey.trouble}")
        return len(bad | self._print_survey(survey))

    def _print_survey(self, survey: StoreSurvey) -> set[str]:
        """Print the survey. Returns the missing and overlaid blobs."""
        self.stdout.write(f"stored {survey.stored}")
        self.stdout.write(f"changed {survey.changed}")
        self.stdout.write(f"missing {survey.missing}")
        if survey.overlaid:
            self.stdout.write(f"overlaid {survey.overlaid}")
        self.stdout.write(f"orphaned {survey.orphaned}")
        for finding in scrub.findings():
            self.stderr.write(
                f"{finding.kind}: {finding.key} ({finding.size} bytes,"
                f" since {finding.first_seen_at:%Y-%m-%d %H:%M})"
            )
        wrong = [StoreFinding.Kind.MISSING, StoreFinding.Kind.OVERLAID]
        keys = scrub.findings().filter(kind__in=wrong).values_list("key", flat=True)
        names = {key.rpartition("/")[2] for key in keys}
        return {describe(blob) for blob in Blob.objects.filter(sha256__in=names)}
