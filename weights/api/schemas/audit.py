"""The audit trail: signed heads, rows and proofs."""

from datetime import datetime
from typing import Any

from django.urls import reverse
from ninja import Schema
from pydantic import Field

from accounts.audit.models import SignedHead
from weights.api.schemas.common import absolute_url


class HeadOut(Schema):
    """`note` is a signed checkpoint (c2sp.org/tlog-checkpoint), `key` verifies it."""

    size: int = Field(description="Number of sealed rows")
    root: str = Field(validation_alias="root_hex", description="Root hash of these rows, in hex")
    signed_at: datetime
    key: str = Field(validation_alias="vkey", description="name+id+key")
    compromised: bool = Field(
        validation_alias="is_compromised",
        description="True if its key is compromised; the head then proves nothing",
    )
    note: str
    url: str

    @staticmethod
    def resolve_url(head: SignedHead) -> str:
        return absolute_url(reverse("accounts:audit-head-of-size", args=[head.size]))


class HeadPage(Schema):
    """`next` is the URL of the next page, null on the last."""

    heads: list[HeadOut]
    total: int
    next: str | None


class ConsistencyProofOut(Schema):
    """`path` is the proof of RFC 9162, section 2.1.4, each hash in base64."""

    format: str
    first: str
    second: str
    path: list[str]


class RowOut(Schema):
    """`told` is the content of the leaf; `proof` is null until a head that covers it is signed."""

    id: int
    told: dict[str, Any]
    by_you: bool
    proof: str | None


class RowPage(Schema):
    """`next` is the URL of the next page, null on the last."""

    rows: list[RowOut]
    total: int
    next: str | None


class InclusionProofOut(Schema):
    """`leaf` and `withheld` are the exact bytes that were hashed; `path` is in base64.

    `withheld` is null for events of other people and for downloads.
    """

    format: str
    leaf: str
    withheld: str | None
    index: int
    size: int
    path: list[str]
    head: str
    key: str
