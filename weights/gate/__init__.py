"""The gate: may these bytes go to this caller? Every view that serves bytes asks it.

It takes the names as requested and looks them up itself, since only an entitled caller may
learn whether a path exists. It denies by default, and also if it raises.

`decision` decides: `statement` reads the facts of the usual decision in one SQL statement and
`rules` evaluates them. If a rule needs a further fact, `lookups` supplies it, or `drafts` for what
only owners see. `refusals` holds the codes and sentences. `Checkpoint.objects.visible_to` and
`downloadable_by` express the same rules as querysets;
`tests/weights/gate/test_random_states.py` compares them.
"""

from weights.gate.decision import (
    Decision,
    decide,
    may_fetch_checkpoint,
    may_fetch_revision,
    may_read_checkpoint,
    may_read_revision,
)
from weights.gate.drafts import find_draft, may_own
from weights.gate.refusals import Missing, Refusal, sentence
from weights.gate.revision_names import find_revision, main_revision, withdrawn

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
