"""A blob's states change as listed in one table, each change with its audit event."""

import re

import pytest

from accounts.audit.models import AuditEvent
from accounts.errors import TransitionRefused
from tests.support.servers.live import ROOT
from weights.storage.models import Blob
from weights.storage.transition_table import TRANSITIONS, State

pytestmark = pytest.mark.django_db

#: Transition: the states that it leaves, the state that it reaches, the event, its result.
TABLE = """
hash        uploaded hashing scanning                       -> hashing      -
inspect     hashing                                         -> scanning     -
verify      hashing scanning verified quarantined           -> verified     blob.verified ok
doubt       hashing scanning verified                       -> hashing      blob.doubted failed
suspend     verified                                        -> hashing      blob.suspected failed
quarantine  hashing scanning verified quarantined           -> quarantined  blob.quarantined failed
refuse      hashing scanning verified quarantined           -> quarantined  blob.refused failed
hold        uploaded hashing scanning verified quarantined  -> quarantined  blob.quarantined ok
replace     uploaded hashing scanning verified quarantined  -> uploaded     blob.replaced ok
"""


def written(name: str) -> str:
    row = TRANSITIONS[name]
    sources = " ".join(state for state in State if state in row.sources)
    event = f"{row.event} {row.result}" if row.event else "-"
    return f"{name:<11} {sources:<47} -> {row.target:<12} {event}"


def test_the_table() -> None:
    assert "\n".join(map(written, TRANSITIONS)) == TABLE.strip()


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", TRANSITIONS)
def test_a_transition_happens_with_its_event_or_not_at_all(name: str, state: State) -> None:
    row = TRANSITIONS[name]
    blob = Blob.objects.create(sha256="a" * 64, size=1, state=state)
    if state not in row.sources:
        with pytest.raises(TransitionRefused):
            blob.transition(name, attempts=3)
    else:
        blob.transition(name, attempts=3)
        assert (blob.state, blob.attempts) == (row.target, 3)
    allowed = state in row.sources
    blob.refresh_from_db()
    assert (blob.state, blob.attempts) == ((row.target, 3) if allowed else (state, 0))
    events = AuditEvent.objects.about(blob).values_list("action", "result")
    assert list(events) == ([(row.event, row.result)] if allowed and row.event else [])


def test_no_other_code_changes_the_state_of_a_blob() -> None:
    """Blobs are made in the first state; queries compare states."""
    changes = re.compile(r"\.update\([^)]*state=(?:Blob\.)?State|\.state = (?:Blob\.)?State\.")
    found = [
        str(path.relative_to(ROOT))
        for app in ("weights", "portal")
        for path in (ROOT / app).rglob("*.py")
        if changes.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []
