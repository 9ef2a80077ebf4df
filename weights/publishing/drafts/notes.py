"""The release notes of a draft: its message, which the Versions tab and the feed show."""

from django.db import transaction

from accounts.audit.models import AuditEvent
from accounts.errors import TransitionRefused
from accounts.users.models import User
from accounts.web.sanitize import multiline
from weights.errors import CommitRefused
from weights.event_tags import WeightsEvent
from weights.publishing.drafts import owners
from weights.publishing.drafts.commits import MOST_MESSAGE
from weights.publishing.models import Revision


@transaction.atomic
def write_notes(revision: Revision, text: str, *, by: User | None) -> None:
    """Replace the message of a draft, which does not change its id. `by` is None for a command.

    Raises NotAllowed without the role, CommitRefused for more than MOST_MESSAGE characters, and
    TransitionRefused for a revision that is not a draft, since published notes never change.
    """
    if by is not None:
        owners.demand_owner(by, revision.checkpoint)
    text = multiline(text).strip()
    if len(text) > MOST_MESSAGE:
        raise CommitRefused(f"release notes have at most {MOST_MESSAGE} characters")
    if text == revision.message:
        return
    if not Revision.objects.drafts().filter(pk=revision.pk).update(message=text):
        raise TransitionRefused(f"{revision} is no longer a draft")
    revision.message = text
    AuditEvent.record(
        WeightsEvent.REVISION_DESCRIBED,
        actor=by,
        target=revision,
        details={"checkpoint": revision.checkpoint.repo_id, "sha": revision.sha},
    )
