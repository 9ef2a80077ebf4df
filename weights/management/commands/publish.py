"""`manage.py publish`: publish a folder as the next revision of a checkpoint."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from accounts.management.base import PortalCommand
from weights.integrity import progress_bars, verification
from weights.publishing import intake
from weights.publishing.models import Revision
from weights.publishing.source_folder import scan


class Command(PortalCommand):
    help = "Publish a folder's files as ORG/NAME; prints the revision's 40-hex id."
    _CHOICES = ("tier", "branch", "tag", "message", "private", "accept_findings", "licence")

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", metavar="DIR", type=Path)
        parser.add_argument("repo_id", metavar="ORG/NAME")
        parser.add_argument("--tier", required=True, help="the tier that people need access to")
        parser.add_argument("--revision", default="main", metavar="BRANCH", dest="branch")
        parser.add_argument("--tag", default="", help="a permanent name of this revision")
        parser.add_argument("--message", default="")
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
            help="the licence in an open tier, if README.md states none: such as apache-2.0",
        )
        parser.add_argument("--wait", action="store_true", help="wait until every file is verified")

    def handle(self, *args: Any, **options: Any) -> None:
        revision = self._publish(**options)
        for finding in revision.findings or []:
            self.stderr.write(f"{finding['severity']}: {finding['sentence']}")
        self.stdout.write(revision.sha)
        self.stdout.flush()
        if options["wait"]:
            self._wait(revision)
        elif revision.state == Revision.State.FAILED:
            raise CommandError(f"it is not shown: {revision.state_reason}")
        elif revision.state != Revision.State.VISIBLE:
            self._warn_without_worker()

    def _publish(self, directory: Path, repo_id: str, **options: Any) -> Revision:
        chosen = {key: options[key] for key in self._CHOICES}
        total = sum(source.size for source in scan(directory))
        with progress_bars.lazy_bar(total, "Storing") as advance:
            return intake.publish(directory, repo_id, progress=advance, **chosen)

    def _warn_without_worker(self) -> None:
        try:
            progress_bars.demand_worker()
        except progress_bars.NoWorker as error:
            self.stderr.write(f"Stored; {error}, so verification waits until one runs.")

    def _wait(self, revision: Revision) -> None:
        try:
            standing = progress_bars.wait_for_checks([revision])
        except progress_bars.NoWorker as error:
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
