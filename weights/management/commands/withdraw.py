"""`manage.py withdraw`: withdraw a revision of a checkpoint."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.management.base import PortalCommand
from weights import gate
from weights.management.lookup import find_checkpoint
from weights.publishing import refs, withdrawal
from weights.publishing.models import Revision
from weights.publishing.queries import head_of


class Command(PortalCommand):
    help = "Withdraw a revision of ORG/NAME permanently; prints its 40-hex id."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("repo_id", metavar="ORG/NAME")
        parser.add_argument("revision", metavar="REVISION", help="branch, tag or 40-hex id")
        parser.add_argument("--reason", required=True, help="public")
        parser.add_argument(
            "--recall", action="store_true", help="mail everybody who downloaded a file of it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        revision = _revision(options["repo_id"], options["revision"])
        if revision.state == Revision.State.WITHDRAWN:
            self.stderr.write(f"{options['repo_id']} at {revision.sha} is already withdrawn.")
            if head_of(revision.checkpoint_id, options["revision"]) is not None:
                self.stderr.write("To withdraw the revision before it too, pass its 40-hex id.")
        else:
            withdrawal.withdraw(revision, options["reason"], by=None, recall=options["recall"])
        self.stdout.write(revision.sha)


def _revision(repo_id: str, name: str) -> Revision:
    checkpoint = find_checkpoint(repo_id)
    if (withdrawn := refs.withdrawn_head(checkpoint.pk, name)) is not None:
        withdrawn.checkpoint = checkpoint
        return withdrawn
    # Ids also find hidden revisions; branches and tags only find visible and withdrawn ones.
    found = checkpoint.revisions.filter(sha=name).first() or gate.find_revision(checkpoint, name)
    if found is None and (tombstone := gate.withdrawn(checkpoint, name)) is not None:
        found = tombstone.revision
    if found is None:
        raise CommandError(
            f"{repo_id} has no revision {name}; its page lists branches, tags and their ids"
        )
    found.checkpoint = checkpoint
    return found
