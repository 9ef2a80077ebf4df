"""The gate's rules: pure functions of facts and the current time.

Each rule returns None to let the request pass, or the reason not to: a refusal code, a missing
name, or a `Lookup`, a fact that it needs to decide. The first rule that returns a value decides;
docs/requirements.md, GT-6, defines the order.
"""

from datetime import datetime

from weights.gate.facts import Facts, History, Lookup
from weights.gate.refusals import Missing, Refusal

Outcome = Refusal | Missing | Lookup | None


def may_fetch_file(facts: Facts, now: datetime) -> Outcome:
    """May the caller have the bytes of this file?"""
    return may_fetch_revision(facts, now) or path(facts) or blob(facts.blob_state)


def may_fetch_revision(facts: Facts, now: datetime) -> Outcome:
    """May the caller fetch files of this revision?"""
    return may_fetch_checkpoint(facts, now) or link(facts) or revision(facts)


def may_fetch_checkpoint(facts: Facts, now: datetime) -> Outcome:
    """May the caller fetch files of this checkpoint?"""
    return may_read_checkpoint(facts, now) or embargo(facts, now) or access(facts, now)


def may_read_revision(facts: Facts, now: datetime) -> Outcome:
    """May the caller read the names and sizes of this revision's files?"""
    return may_read_checkpoint(facts, now) or revision(facts)


def may_read_checkpoint(facts: Facts, now: datetime) -> Outcome:
    """May the caller read the description of this checkpoint? No grant is needed."""
    return credential(facts, now) or repository(facts, now) or published(facts)


def access(facts: Facts, now: datetime) -> Outcome:
    """A gated tier requires an account in good standing, a scope, a grant and its licence."""
    if not facts.gated:
        return None
    return (
        person(facts) or standing(facts) or scope(facts) or grant(facts, now) or licence(facts, now)
    )


# -- the rules, in their order ----------------------------------------------------------


def credential(facts: Facts, now: datetime) -> Outcome:
    """The token that was sent is valid; signed links are verified before the gate decides."""
    if not facts.by_token:
        return None
    if facts.token_expires is None or facts.token_revoked or not facts.user_active:
        return Refusal.TOKEN_INVALID
    return Refusal.TOKEN_EXPIRED if facts.token_expires <= now else None


def repository(facts: Facts, now: datetime) -> Outcome:
    """The checkpoint exists, and the caller may see it.

    A hidden checkpoint gets the same answer as an unknown name, without a further query, so that
    response times do not differ either. A token reveals a hidden checkpoint only if it may read
    gated files there, and a draft only if it may write there and belongs to an owner.
    """
    if facts.checkpoint_id is None:
        return Missing.REPOSITORY
    if facts.may_own and facts.names_draft is None:
        return Lookup.DRAFT
    if facts.names_draft:
        return None
    if not facts.private and embargo(facts, now) is None:
        return None
    if not (facts.is_staff and facts.user_active) or facts.user_suspended:
        return Missing.REPOSITORY
    if not facts.token_covers:
        return Missing.REPOSITORY
    if facts.staff_may_know is None:
        return Lookup.VISIBILITY
    return None if facts.staff_may_know else Missing.REPOSITORY


def published(facts: Facts) -> Outcome:
    """The checkpoint has a published revision."""
    if facts.published:
        return None
    if facts.first_verification is None:
        return Lookup.FIRST_VERIFICATION
    return Refusal.FILE_UNVERIFIED if facts.first_verification else Refusal.NOT_PUBLISHED


def embargo(facts: Facts, now: datetime) -> Outcome:
    """The embargo has passed."""
    ends = facts.embargo_until
    return Refusal.EMBARGOED if ends is not None and ends > now else None


def person(facts: Facts) -> Outcome:
    """The caller is identified."""
    return Refusal.LOGIN_REQUIRED if facts.user_id is None else None


def standing(facts: Facts) -> Outcome:
    """The account is active and not suspended, and its e-mail address is confirmed."""
    in_order = facts.user_active and not facts.user_suspended and facts.address_confirmed
    return None if in_order else Refusal.SUSPENDED


def scope(facts: Facts) -> Outcome:
    """The token may read gated checkpoints, including this one."""
    return None if facts.token_covers else Refusal.TOKEN_SCOPE


def grant(facts: Facts, now: datetime) -> Outcome:
    """The person holds a live grant for the tier; behind a link, the link's own grant."""
    if (
        facts.grant_id is not None
        and facts.grant_expires is not None
        and facts.grant_expires > now
        and facts.link_grant_id in {None, facts.grant_id}
    ):
        return None
    return Lookup.HISTORY if facts.history is None else without_grant(facts.history)


def licence(facts: Facts, now: datetime) -> Outcome:
    """The accepted text is in force, or within the notice period of each text that replaced it."""
    if not facts.licence_replaced:
        return None
    if facts.acceptance_ends is None:
        return Lookup.ACCEPTANCE
    return None if now < facts.acceptance_ends else Refusal.LICENCE_OUTDATED


def link(facts: Facts) -> Outcome:
    """A checkpoint link gives access only to the revision that it was issued for."""
    return None if facts.link_revision_id in {None, facts.revision_id} else Missing.REVISION


def revision(facts: Facts) -> Outcome:
    """The revision exists and was not withdrawn."""
    if facts.revision_id is None:
        return Missing.REVISION
    return (link(facts) or Refusal.WITHDRAWN) if facts.withdrawn else None


def path(facts: Facts) -> Outcome:
    """The revision has a file with this path."""
    return Missing.ENTRY if facts.file_id is None else None


def blob(state: str) -> Outcome:
    """The bytes are verified."""
    if state == "verified":
        return None
    return Refusal.FILE_QUARANTINED if state == "quarantined" else Refusal.FILE_UNVERIFIED


# -- refusals of a person without a live grant --------------------------------------

_BY_GRANT_STATE = {
    "active": Refusal.GRANT_EXPIRED,  # active but not live: its end has passed
    "expired": Refusal.GRANT_EXPIRED,
    "suspended": Refusal.SUSPENDED,
    "revoked": Refusal.REVOKED,
    "surrendered": Refusal.NO_APPLICATION,
}
#: Refusals whose next step is an application.
_APPLY = {Refusal.NO_APPLICATION, Refusal.GRANT_EXPIRED}
_BY_APPLICATION_STATUS = {
    "submitted": Refusal.IN_REVIEW,
    "in_review": Refusal.IN_REVIEW,
    "returned": Refusal.RETURNED,
    "rejected": Refusal.REJECTED,
}


def without_grant(history: History) -> Refusal:
    """The refusal for the newer of the last grant and the last application.

    Neither gives access: an application is history, and the grant is not live. In a retired tier,
    nobody is asked to apply.
    """
    refusal = _by_newest(history)
    return Refusal.TIER_RETIRED if history.tier_retired and refusal in _APPLY else refusal


def _by_newest(history: History) -> Refusal:
    starts, submitted = history.grant_starts, history.application_submitted
    if starts is not None and (submitted is None or starts >= submitted):
        return _BY_GRANT_STATE[history.grant_state]
    return _BY_APPLICATION_STATUS.get(history.application_status, Refusal.NO_APPLICATION)
