"""Models of the audit trail."""

from accounts.audit.models.event import AuditEvent
from accounts.audit.models.seals import (
    CompromisedAuditKey,
    HeadCopy,
    SealBatch,
    SealedNode,
    SealedRow,
    SignedHead,
)

__all__ = [
    "AuditEvent",
    "CompromisedAuditKey",
    "HeadCopy",
    "SealBatch",
    "SealedNode",
    "SealedRow",
    "SignedHead",
]
