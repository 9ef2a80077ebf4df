"""The records of audit."""

from accounts.audit.models.event import AuditEvent
from accounts.audit.models.key import CompromisedAuditKey
from accounts.audit.models.seals import HeadCopy, SealBatch, SealedNode, SealedRow, SignedHead

__all__ = [
    "AuditEvent",
    "CompromisedAuditKey",
    "HeadCopy",
    "SealBatch",
    "SealedNode",
    "SealedRow",
    "SignedHead",
]
