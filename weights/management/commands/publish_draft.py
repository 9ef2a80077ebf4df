"""`manage.py publish_draft`: publish the draft of a branch."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, make_aware

from accounts.management.base import PortalCommand
from weights.integrity import verification, waiting
from weights.management.lookup import find_checkpoint
from weights.publishing.drafts import queries
from weights.publishing.drafts.notes import write_notes
from weights.publishing.drafts.publication import ensure_findings, publish_draft
from weights.publishing.models import Revision


class Command(PortalCommand):
    help = "Publish the newest draft of ORG/NAME; prints the revision's 40-hex id."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("repo_id", metavar="ORG/NAME")
        parser.add_argument("--revision", default="main", metavar="BRANCH", help="or a 40-hex id")
        parser.add_argument(
            "--private", action="store_true", help="keep a new checkpoint hidden from the public"
        )
        parser.add_argument("--embargo-until", metavar="TIME", help="such as 2027-01-31T12:00Z")
        parser.add_argument(
            "--accept-findings", action="store_true", help="publish despite errors of the lint"
        )
        parser.add_argument(
            "--notes", metavar="TEXT", help="release notes; the first line is the title"
        )
        parser.add_argument("--wait", action="store_true", help="wait until every file is verified")

    def handle(self, *args: Any, **options: Any) -> None:
        until = _time(options["embargo_until"]) if options["embargo_until"] else None
        checkpoint = find_checkpoint(options["repo_id"])
        draft = queries.find_revision(checkpoint, options["revision"])
        if draft is None:
            raise CommandError(f"{checkpoint} has no draft {options['revision']}")
        ensure_findings(draft)
        with transaction.atomic():
            if options["notes"] is not None:
                write_notes(draft, options["notes"], by=None)
            publish_draft(
                draft,
                by=None,
                private=options["private"] or None,
                embargo_until=until,
                accept_findings=options["accept_findings"],
            )
        self.print_now(draft.sha)
        if options["wait"]:
            self._wait(draft)

    def _wait(self, draft: Revision) -> None:
        try:
            progress = waiting.until_verified([draft])
        except waiting.NoWorker as error:
            raise CommandError(f"{error}; a worker must run to verify it") from error
        draft.refresh_from_db()
        if progress.failures or not verification.settle(draft):
            found = [f"{path}: {reason}" for path, reason in progress.failures]
            reason = draft.state_reason or next(iter(found), "see it in the admin")
            raise CommandError(f"it is not shown: {reason}")
        self.stderr.write("Verified and visible.")


def _time(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{text!r} is not a time; write it as 2027-01-31T12:00Z")
    return make_aware(found) if is_naive(found) else found
