"""`manage.py mirror`: publish a revision of another hub here."""

import re
from argparse import ArgumentParser
from getpass import getpass
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from accounts.management import progress_bars
from weights.catalogue import names
from weights.management.publishing import PublishingCommand
from weights.publishing.mirror.services import publish_source
from weights.publishing.mirror.session import HubSession
from weights.publishing.mirror.source import find_revision
from weights.publishing.models import Revision

_TOKEN = re.compile(r"[!-~]{1,1000}")


class Command(PublishingCommand):
    help = (
        "Fetch a revision of ORG/NAME from HUB, another hub with the same API, and publish it"
        " here; prints the revision's 40-hex id. Run it again to continue."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("hub", metavar="HUB", help="such as https://huggingface.co")
        parser.add_argument("source", metavar="ORG/NAME")
        parser.add_argument(
            "--revision", default="main", help="a branch, tag or commit there; default: main"
        )
        parser.add_argument("--as", default="", metavar="ORG/NAME", dest="repo_id")
        parser.add_argument("--branch", default="main", help="the branch here; default: main")
        self.add_publishing_arguments(parser)
        parser.add_argument(
            "--token-file",
            default="",
            metavar="FILE",
            help="holds a token of the source; - prompts for it",
        )
        parser.add_argument(
            "--allow-private-address",
            action="append",
            default=[],
            metavar="HOST[:PORT]",
            dest="private_hosts",
            help="HOST or HOST:PORT that may have a private address and use http, such as a hub"
            " or its storage on an intranet; repeatable",
        )
        parser.add_argument("--ca-file", metavar="FILE", help="CA certificates to verify the hub")
        parser.add_argument(
            "--staging",
            type=Path,
            metavar="DIR",
            help="a folder for partial files; default: the store's own",
        )

    def publish(self, **options: Any) -> Revision:
        names.split_repo_id(options["source"])
        ca_file = options["ca_file"]
        if ca_file and not Path(ca_file).is_file():
            raise CommandError(f"there is no file {ca_file}; name a file with CA certificates")
        session = HubSession(
            options["hub"],
            token=_token(options["token_file"]),
            private_hosts=options["private_hosts"],
            ca_file=ca_file,
        )
        source = find_revision(session, options["source"], options["revision"])
        chosen = {name: options[name] for name in (*self.CHOICES, "staging")}
        with progress_bars.lazy_bar(source.total_bytes, "Fetching") as advance:
            target = options["repo_id"] or source.repo_id
            return publish_source(session, source, target, progress=advance, **chosen)


def _token(file: str) -> str:
    """The source's token; raises CommandError if it is malformed, without showing it."""
    if not file:
        return ""
    token = getpass("Token of the source: ") if file == "-" else Path(file).read_text()
    if not _TOKEN.fullmatch(token.strip()):
        raise CommandError(f"{file} contains no token; write the source's token to it in one line")
    return token.strip()
