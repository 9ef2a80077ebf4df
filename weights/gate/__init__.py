"""The gate: may these bytes go to this caller? Every way to bytes asks here and nowhere else.

It takes names as asked and looks them up itself, since only the entitled may learn whether
a path exists. It denies by default, and denies when it raises. The order of its rules is
that of docs/requirements.md, GT-6.

`rules` holds them to be read; `statement` asks the same of the database at once, which is
what most requests need, and leaves to `rules` whatever it does not know the answer to.
`tests/weights/gate/test_statement.py` holds both to the same answers.
"""

from dataclasses import replace
from datetime import datetime

from weights.gate import rules, statement
from weights.gate.caller import Caller, Refusal, TokenClaim, look_up
from weights.gate.decision import Decision, Missing
from weights.gate.messages import INVALID_CREDENTIALS
from weights.gate.rules import find_revision, may_read, may_read_about, withdrawn

__all__ = [
    "INVALID_CREDENTIALS",
    "Decision",
    "Missing",
    "Refusal",
    "decide",
    "find",
    "find_revision",
    "may_read",
    "may_read_about",
    "withdrawn",
]


def decide(
    caller: Caller | TokenClaim, repo_id: str, revision: str, path: str, now: datetime
) -> Decision:
    """Whether the file `path` of `revision` of `repo_id` may go to `caller` at `now`.

    The answer's `caller` is who asked, also where a token was still to be looked up.
    """
    answer = statement.decide(caller, repo_id, revision, path, now)
    if answer is not None:
        return answer
    known = look_up(caller, now) if isinstance(caller, TokenClaim) else caller
    return replace(rules.decide(known, repo_id, revision, path, now), caller=known)


def find(caller: Caller | TokenClaim, repo_id: str, revision: str, now: datetime) -> Decision:
    """The checkpoint and revision that `caller` may read about, with or without a grant.

    Their description and their files' names are no secret; the bytes are `decide`'s.
    """
    answer = statement.find(caller, repo_id, revision, now)
    if answer is not None:
        return answer
    known = look_up(caller, now) if isinstance(caller, TokenClaim) else caller
    return replace(rules.find(known, repo_id, revision, now), caller=known)
