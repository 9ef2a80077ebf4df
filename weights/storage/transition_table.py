"""The states of a blob and the transitions between them, without models.

`Blob.transition` applies a transition; nothing else changes the state of a blob.
"""

from dataclasses import dataclass

from django.db import models

from weights.event_tags import WeightsEvent


class State(models.TextChoices):
    UPLOADED = "uploaded", "Stored, waiting for its check"
    HASHING = "hashing", "Being read"
    SCANNING = "scanning", "Its format is being inspected"
    VERIFIED = "verified", "Verified"
    QUARANTINED = "quarantined", "Quarantined"


class QuarantineCause(models.TextChoices):
    """Why bytes are in quarantine."""

    DAMAGED = "damaged", "Damaged bytes"
    REFUSED = "refused", "Refused by inspection"
    MANUAL = "manual", "Quarantined by a release owner"


#: States of blobs whose first check has no result yet.
UNVERIFIED = (State.UPLOADED, State.HASHING, State.SCANNING)


@dataclass(frozen=True)
class Transition:
    """The source states, the target state, and the audit event.

    Steps within a check have no event; the end of the check has one.
    """

    sources: frozenset[State]
    target: State
    event: WeightsEvent | None = None
    result: str = "ok"


_U, _H, _S, _V, _Q = (
    State.UPLOADED,
    State.HASHING,
    State.SCANNING,
    State.VERIFIED,
    State.QUARANTINED,
)


def _row(
    sources: set[State], target: State, event: WeightsEvent | None = None, result: str = "ok"
) -> Transition:
    return Transition(frozenset(sources), target, event, result)


TRANSITIONS: dict[str, Transition] = {
    # A worker reads bytes that were never verified, possibly after another worker was killed.
    "hash": _row({_U, _H, _S}, _H),
    # The bytes match their SHA-256; their format is next.
    "inspect": _row({_H}, _S),
    # The check passed.
    "verify": _row({_H, _S, _V, _Q}, _V, WeightsEvent.BLOB_VERIFIED),
    # Verified bytes no longer match their SHA-256, or are lost: they are read again.
    "doubt": _row({_H, _S, _V}, _H, WeightsEvent.BLOB_DOUBTED, "failed"),
    # Verified bytes were changed: they are not served until they have been read again.
    "suspend": _row({_V}, _H, WeightsEvent.BLOB_SUSPECTED, "failed"),
    # The bytes do not match their SHA-256, or are lost.
    "quarantine": _row({_H, _S, _V, _Q}, _Q, WeightsEvent.BLOB_QUARANTINED, "failed"),
    # The bytes match their SHA-256, but could do harm when loaded.
    "refuse": _row({_H, _S, _V, _Q}, _Q, WeightsEvent.BLOB_REFUSED, "failed"),
    # A release owner quarantines them.
    "hold": _row({_U, _H, _S, _V, _Q}, _Q, WeightsEvent.BLOB_QUARANTINED),
    # A publication wrote good bytes over lost or bad ones.
    "replace": _row({_U, _H, _S, _V, _Q}, _U, WeightsEvent.BLOB_REPLACED),
}
#: Transition into quarantine -> its cause.
CAUSES = {
    "quarantine": QuarantineCause.DAMAGED,
    "refuse": QuarantineCause.REFUSED,
    "hold": QuarantineCause.MANUAL,
}
