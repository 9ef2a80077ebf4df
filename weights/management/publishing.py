"""The base of commands that publish a revision."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.management.base import PortalCommand
from weights.integrity import verification, waiting
from weights.publishing.models import Revision


class PublishingCommand(PortalCommand):
    """Calls `publish`, prints the findings and the id, and waits for the verification."""

    CHOICES = ("tier", "branch", "tag", "private", "accept_findings", "licence")

    def add_publishing_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tier", required=True, help="the tier whose access people need")
        parser.add_argument("--tag", default="", help="a permanent name of this revision")
        parser.add_argument(
            "--private", action="store_true", help="hide a new checkpoint from the public"
        )
        parser.add_argument(
            "--accept-findings",
            action="store_true",
            help="publish despite findings, such as a missing shard",
        )
        parser.add_argument(
            "--licence",
            default="",
            metavar="ID",
            help="the licence, such as apache-2.0, for an open tier if README.md states none",
        )
        parser.add_argument("--wait", action="store_true", help="wait until every file is verified")

    def publish(self, **options: Any) -> Revision:
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        revision = self.publish(**options)
        for finding in revision.findings or []:
            self.stderr.write(f"{finding['severity']}: {finding['sentence']}")
        self.print_now(revision.sha)
        if options["wait"]:
            self._wait(revision)
        elif revision.state == Revision.State.FAILED:
            raise CommandError(f"it is not shown: {revision.state_reason}")
        elif revision.state != Revision.State.VISIBLE:
            self._warn_without_worker()

    def _warn_without_worker(self) -> None:
        try:
            waiting.demand_worker()
        except waiting.NoWorker as error:
            self.stderr.write(f"Stored; {error}, so verification waits until one runs.")

    def _wait(self, revision: Revision) -> None:
        try:
            standing = waiting.until_verified([revision])
        except waiting.NoWorker as error:
            raise CommandError(
                f"{error}; {revision.sha} is stored and will be verified once a worker runs"
            ) from error
        if standing.failures:
            path, reason = standing.failures[0]
            others = len(standing.failures) - 1
            more = f" (and {others} more, listed in the admin)" if others else ""
            raise CommandError(
                f"{path}: {reason}{more}; publish again with a good copy of the file"
            )
        revision.refresh_from_db()
        if not verification.settle(revision):
            raise CommandError(f"it is not shown: {revision.state_reason or 'see it in the admin'}")
        self.stderr.write("Verified and visible.")
