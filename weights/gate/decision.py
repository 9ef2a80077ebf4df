"""Decide whether bytes go to a caller, and the decision: a file and a grant, or a refusal."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from accounts.errors import ErrorCode
from accounts.grants.models import Grant
from weights.catalogue.models import Checkpoint
from weights.errors import GateRefused
from weights.gate import drafts, lookups, metrics, records, rules, statement
from weights.gate.caller import ANONYMOUS, Caller, TokenClaim, note_use
from weights.gate.facts import Facts, Lookup
from weights.gate.refusals import (
    OF_CREDENTIAL,
    Missing,
    Refusal,
    error_code,
    sentence,
    status_of,
)
from weights.gate.statement import Row
from weights.publishing.models import File, Revision

_Rule = Callable[[Facts, datetime], rules.Outcome]
#: Rules that need a grant on gated checkpoints; the others concern what everyone may read.
_FETCH = {rules.may_fetch_file, rules.may_fetch_revision, rules.may_fetch_checkpoint}
#: Refusals given only to callers who may know about the revision.
_OF_A_REVISION = {
    Missing.ENTRY,
    Refusal.WITHDRAWN,
    Refusal.FILE_UNVERIFIED,
    Refusal.FILE_QUARANTINED,
}


@dataclass(frozen=True)
class Decision:
    """The file and the grant that gives access to it, or the reason for a refusal.

    `message` is a sentence with the next step and its URL. `caller` is the caller as looked up by
    the gate.
    """

    checkpoint: Checkpoint | None = None
    revision: Revision | None = None
    file: File | None = None
    grant: Grant | None = None
    code: Refusal | None = None
    missing: Missing | None = None
    message: str = ""
    caller: Caller = ANONYMOUS

    @property
    def allowed(self) -> bool:
        return self.code is None and self.missing is None

    @property
    def status(self) -> int:
        """The HTTP status of a refusal; 200 when allowed."""
        refusal = self.code or self.missing
        return 200 if refusal is None else status_of(refusal)

    @property
    def error_code(self) -> ErrorCode | None:
        """The code in the response to a refusal; None when allowed."""
        refusal = self.code or self.missing
        return None if refusal is None else error_code(refusal)

    def demand_allowed(self) -> None:
        """Raise GateRefused with the code and the message of a refusal."""
        if refusal := self.code or self.missing:
            raise GateRefused(refusal, self.message)

    def demand_published(self, name: str) -> None:
        """Raise GateRefused also for a draft, since drafts have no links; `name` as requested."""
        self.demand_allowed()
        if self.revision is not None and self.revision.visible_at is None:
            repo_id = str(self.checkpoint)
            message = sentence(Missing.REVISION, repo=repo_id, revision=name)
            raise GateRefused(Missing.REVISION, message)


def withdrawn(checkpoint: Checkpoint, revision: Revision, caller: Caller = ANONYMOUS) -> Decision:
    """The refusal of a withdrawn revision, with the date and the publisher's reason."""
    day = revision.withdrawn_at
    message = sentence(
        Refusal.WITHDRAWN,
        repo=checkpoint.repo_id,
        sha=revision.sha,
        when=f" on {day:%Y-%m-%d}" if day else "",
        reason=revision.state_reason.rstrip("."),
    )
    return Decision(checkpoint, revision, code=Refusal.WITHDRAWN, message=message, caller=caller)


def decide(
    caller: Caller | TokenClaim, repo_id: str, revision: str, path: str, now: datetime
) -> Decision:
    """May the file `path` of `revision` of `repo_id` go to `caller` at `now`?"""
    return _decide(rules.may_fetch_file, caller, repo_id, revision, path, now)


def may_fetch_revision(
    caller: Caller | TokenClaim, repo_id: str, revision: str, now: datetime
) -> Decision:
    """May `caller` fetch files of this revision? `rules.blob` decides about each file."""
    return _decide(rules.may_fetch_revision, caller, repo_id, revision, "", now)


def may_read_revision(
    caller: Caller | TokenClaim, repo_id: str, revision: str, now: datetime
) -> Decision:
    """May `caller` read the names of this revision's files? No grant is needed."""
    return _decide(rules.may_read_revision, caller, repo_id, revision, "", now)


def may_fetch_checkpoint(caller: Caller | TokenClaim, repo_id: str, now: datetime) -> Decision:
    """May `caller` fetch files of this checkpoint at all?"""
    return _decide(rules.may_fetch_checkpoint, caller, repo_id, None, "", now)


def may_read_checkpoint(caller: Caller | TokenClaim, repo_id: str, now: datetime) -> Decision:
    """May `caller` read the description of this checkpoint?"""
    return _decide(rules.may_read_checkpoint, caller, repo_id, None, "", now)


def _decide(
    rule: _Rule,
    caller: Caller | TokenClaim,
    repo_id: str,
    revision: str | None,
    path: str,
    now: datetime,
) -> Decision:
    """Decide by this rule, and count the decision."""
    found = _apply(rule, caller, repo_id, revision, path, now)
    metrics.decisions(rule.__name__, found.error_code or "allowed").inc()
    return found


def _apply(
    rule: _Rule,
    caller: Caller | TokenClaim,
    repo_id: str,
    revision: str | None,
    path: str,
    now: datetime,
) -> Decision:
    """Read the facts and apply the rule, again for each further fact that it needs."""
    if isinstance(caller, Caller) and caller.problem is not None:
        return Decision(code=caller.problem, message=sentence(caller.problem), caller=caller)
    row = statement.ask(caller, repo_id, revision or "", path, now)
    by_token = isinstance(caller, TokenClaim)
    identified = records.token_holder(row) if isinstance(caller, TokenClaim) else caller
    facts = statement.facts_of(row, identified, repo_id, revision or "", by_token=by_token)
    outcome = rule(facts, now)
    if isinstance(outcome, Refusal) and outcome in OF_CREDENTIAL:
        identified = Caller(kind="token", problem=outcome)
        return Decision(code=outcome, message=sentence(outcome), caller=identified)
    if row.token_id is not None:
        note_use(row.token_id, statement.utc(row.token_used), now)
    while isinstance(outcome, Lookup):
        if outcome is Lookup.DRAFT:
            named = repo_id, revision or "", path
            facts, row = drafts.look_up(identified, facts, row, *named)
        else:
            facts = lookups.supply(outcome, facts, row, now)
        outcome = rule(facts, now)
    if outcome is Missing.REPOSITORY:
        return Decision(missing=outcome, message=sentence(outcome, repo=repo_id), caller=identified)
    checkpoint = records.checkpoint(row, repo_id)
    if outcome is not None:
        return _refused(outcome, row, checkpoint, revision or "", path, identified)
    found = records.revision(row, checkpoint) if revision is not None else None
    return Decision(
        checkpoint,
        found,
        records.file(row, found, path) if found and rule is rules.may_fetch_file else None,
        records.grant(row, facts.grant_expires) if facts.gated and rule in _FETCH else None,
        caller=identified,
    )


def _refused(
    outcome: Refusal | Missing,
    row: Row,
    checkpoint: Checkpoint,
    revision: str,
    path: str,
    caller: Caller,
) -> Decision:
    """The refusal with its message; `revision` and `path` as requested."""
    published = row.published_at is not None or row.revision_state in drafts.UNPUBLISHED
    found = None
    if published and outcome in _OF_A_REVISION:
        if outcome is Refusal.WITHDRAWN:
            gone = Revision.objects.get(checkpoint=checkpoint, sha=row.revision_sha)
            return withdrawn(checkpoint, gone, caller)
        found = records.revision(row, checkpoint)
    message = sentence(
        outcome,
        published=published,
        repo=checkpoint.repo_id,
        tier=row.tier_slug,
        revision=revision,
        sha=row.revision_sha,
        path=path,
        cause=row.blob_cause,
    )
    if isinstance(outcome, Missing):
        return Decision(checkpoint, found, missing=outcome, message=message, caller=caller)
    return Decision(checkpoint, found, code=outcome, message=message, caller=caller)
