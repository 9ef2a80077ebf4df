"""The audit trail: heads, rows and proofs."""

from datetime import datetime
from typing import Any

from ninja import Schema
from pydantic import Field

from accounts.audit.models import SignedHead
from weights.api.schemas.common import address


class HeadTold(Schema):
    """`note` is the signed checkpoint (c2sp.org/tlog-checkpoint), `key` verifies it."""

    size: int = Field(description="Rows that were sealed")
    root: str = Field(description="Root over them, in hex")
    signed_at: datetime
    key: str = Field(description="name+id+key")
    compromised: bool = Field(description="By a key that others may have had: it proves nothing")
    note: str
    url: str

    @classmethod
    def of(cls, head: SignedHead) -> "HeadTold":
        return cls(
            size=head.size,
            root=head.root_hex,
            signed_at=head.signed_at,
            key=head.vkey,
            compromised=head.in_doubt,
            note=head.note,
            url=address(f"/transparency/audit-head/{head.size}"),
        )


class HeadPage(Schema):
    """`next` is the address of what follows, null on the last page."""

    heads: list[HeadTold]
    total: int
    next: str | None


class ConsistencyTold(Schema):
    """`path` is the proof of RFC 9162, section 2.1.4, each hash in base64."""

    format: str
    first: str
    second: str
    path: list[str]


class RowTold(Schema):
    """`told` is what the leaf shows; `proof` is null until a head is signed over it."""

    id: int
    told: dict[str, Any]
    by_you: bool
    proof: str | None


class RowPage(Schema):
    """`next` is the address of what follows, null on the last page."""

    rows: list[RowTold]
    total: int
    next: str | None


class ProofTold(Schema):
    """`leaf` and `withheld` are the very bytes that were hashed; `path` is in base64.

    `withheld` is null where somebody else did it, and for downloads.
    """

    format: str
    leaf: str
    withheld: str | None
    index: int
    size: int
    path: list[str]
    head: str
    key: str
