"""The gate: may these bytes go to this caller? Every view that serves bytes asks it.

It takes the names as requested and looks them up itself, since only an entitled caller may
learn whether a path exists. It denies by default, and denies when it raises.

`statement` reads the facts of the usual answer in one SQL statement, `rules` evaluates them, and
`lookups` supplies a further fact if a rule lacks one, and `drafts` what only owners see.
`refusals` holds the codes and sentences. `Checkpoint.objects.visible_to` and `downloadable_by` are
the same conditions as querysets; `tests/weights/gate/test_random_states.py` keeps both equal.
"""

from collections.abc import Callable
from datetime import datetime

from weights.catalogue.models import Checkpoint
from weights.gate import decision, drafts, lookups, metrics, records, rules, statement
from weights.gate.caller import Caller, TokenClaim, note_use
from weights.gate.decision import Decision
from weights.gate.drafts import find_draft, may_own
from weights.gate.facts import Facts, Lookup
from weights.gate.refusals import OF_CREDENTIAL, Missing, Refusal, sentence
from weights.gate.revision_names import find_revision, main_revision, withdrawn
from weights.gate.statement import Row
from weights.publishing.models import Revision

__all__ = [
    "Decision",
    "Missing",
    "Refusal",
    "decide",
    "find_draft",
    "find_revision",
    "main_revision",
    "may_fetch_checkpoint",
    "may_fetch_revision",
    "may_own",
    "may_read_checkpoint",
    "may_read_revision",
    "sentence",
    "withdrawn",
]

_Rule = Callable[[Facts, datetime], rules.Outcome]
#: Rules that a grant answers for; the others only open what everybody may read.
_FETCH = {rules.may_fetch_file, rules.may_fetch_revision, rules.may_fetch_checkpoint}
#: Refusals that only a caller who may know of the revision gets.
_OF_A_REVISION = {
    Missing.ENTRY,
    Refusal.WITHDRAWN,
    Refusal.FILE_UNVERIFIED,
    Refusal.FILE_QUARANTINED,
}


def decide(
    caller: Caller | TokenClaim, repo_id: str, revision: str, path: str, now: datetime
) -> Decision:
    """May the file `path` of `revision` of `repo_id` go to `caller` at `now`?"""
    return _decide(rules.may_fetch_file, caller, repo_id, revision, path, now)


def may_fetch_revision(
    caller: Caller | TokenClaim, repo_id: str, revision: str, now: datetime
) -> Decision:
    """May `caller` fetch files of this revision? `rules.blob` judges each file."""
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
    """The decision by this rule, counted."""
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
    """Read the facts, apply the rule, and once more with each further fact that it lacks."""
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
    """The refusal in words; `revision` and `path` as requested."""
    published = row.published_at is not None or row.revision_state in drafts.UNPUBLISHED
    found = None
    if published and outcome in _OF_A_REVISION:
        if outcome is Refusal.WITHDRAWN:
            gone = Revision.objects.get(checkpoint=checkpoint, sha=row.revision_sha)
            return decision.withdrawn(checkpoint, gone, caller)
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
