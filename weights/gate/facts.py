"""The facts that the gate's rules read: plain values about one request, without queries."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

#: Later than any request.
NEVER = datetime.max.replace(tzinfo=UTC)
#: No record has this id.
NO_ID = 0


class Lookup(StrEnum):
    """A fact that the usual statement does not read; a rule returns it if it needs the fact."""

    DRAFT = "names_draft"
    VISIBILITY = "staff_may_know"
    FIRST_VERIFICATION = "first_verification"
    HISTORY = "history"
    ACCEPTANCE = "acceptance_ends"


@dataclass(frozen=True, slots=True)
class History:
    """The newest grant and the newest submitted application of one person for one tier.

    A retired tier grants no new access.
    """

    grant_state: str = ""
    grant_starts: datetime | None = None
    application_status: str = ""
    application_submitted: datetime | None = None
    tier_retired: bool = False


@dataclass(frozen=True)
class Facts:
    """One caller, one checkpoint and, if they were named, one revision and one file.

    An id is None if the name does not exist. Every default refuses, so that a missing fact never
    grants access. `statement.facts_of` sets all but the look-ups.
    """

    # the credential
    by_token: bool = True
    token_expires: datetime | None = None
    token_revoked: bool = True
    #: True if the token's scopes and repositories cover gated files of the checkpoint.
    token_covers: bool = False
    #: The grant and the revision that a signed link was issued for; None without a link.
    link_grant_id: int | None = NO_ID
    link_revision_id: int | None = NO_ID
    # the person
    user_id: int | None = None
    user_active: bool = False
    user_suspended: bool = True
    address_confirmed: bool = False
    is_staff: bool = False
    #: Staff with a write token, or with a session and a commit id, who may own a draft.
    may_own: bool = False
    # the checkpoint
    checkpoint_id: int | None = None
    private: bool = True
    embargo_until: datetime | None = NEVER
    published: bool = False
    gated: bool = True
    # the right: the person's active grant for the tier
    grant_id: int | None = None
    grant_expires: datetime | None = None
    #: True if a licence text other than the accepted one is in force for the tier.
    licence_replaced: bool = True
    # the revision and the file
    revision_id: int | None = None
    withdrawn: bool = True
    file_id: int | None = None
    blob_state: str = ""
    # results of a Lookup; None until looked up
    names_draft: bool | None = None
    staff_may_know: bool | None = None
    first_verification: bool | None = None
    history: History | None = None
    acceptance_ends: datetime | None = None
