"""`manage.py publish`: publish a folder as the next revision of a checkpoint."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from accounts.management import progress_bars
from weights.management.publishing import PublishingCommand
from weights.publishing import intake
from weights.publishing.models import Revision
from weights.publishing.source_folder import scan


class Command(PublishingCommand):
    help = "Publish a folder's files as ORG/NAME; prints the revision's 40-hex id."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", metavar="DIR", type=Path)
        parser.add_argument("repo_id", metavar="ORG/NAME")
        parser.add_argument("--revision", default="main", metavar="BRANCH", dest="branch")
        parser.add_argument("--message", default="")
        self.add_publishing_arguments(parser)

    def publish(self, **options: Any) -> Revision:
        chosen = {name: options[name] for name in (*self.CHOICES, "message")}
        total = sum(source.size for source in scan(options["directory"]))
        with progress_bars.lazy_bar(total, "Storing") as advance:
            return intake.publish(
                options["directory"], options["repo_id"], progress=advance, **chosen
            )
