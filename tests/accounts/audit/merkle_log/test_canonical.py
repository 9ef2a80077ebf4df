"""Canonical JSON equals the output of the reference implementation of RFC 8785."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from accounts.audit.merkle_log import sealed_tables
from accounts.audit.merkle_log.canonical import canonical, timestamp

pytestmark = pytest.mark.one_database

SAFE = 2**53 - 1
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-SAFE, SAFE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_it_equals_the_reference_implementation(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53 + 1, [2**60]])
def test_values_without_a_canonical_form_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"not representable|exceed|domain|safe"):
        canonical(value)


def test_a_timestamp_always_has_microseconds() -> None:
    assert timestamp(datetime(2026, 11, 25, 9, 30, tzinfo=UTC)) == "2026-11-25T09:30:00.000000Z"


def test_the_form_of_an_event_is_the_documented_one() -> None:
    """A changed form would invalidate every proof document that was issued."""
    actor = UUID(int=7)
    row = (
        *(12, datetime(2026, 11, 25, 9, 30, 0, 5, tzinfo=UTC), "grant.given", "grant", "g", "ok"),
        *(actor, "token", "t", {"b": 1, "a": "é\n"}, "r"),
    )
    withheld = (
        '{"actor_id":"00000000-0000-0000-0000-000000000007","credential_id":"t",'
        '"credential_kind":"token","details":{"a":"é\\n","b":1},"request_id":"r"}'
    )
    assert canonical(sealed_tables.event_withheld(row)).decode() == withheld
    leaf = json.loads(sealed_tables.EVENTS.leaf_input(row))
    assert leaf.pop("withheld") == sha256(withheld.encode()).hexdigest()
    assert leaf == {
        "action": "grant.given",
        "at": "2026-11-25T09:30:00.000005Z",
        "id": 12,
        "log": "event",
        "object_id": "g",
        "object_kind": "grant",
        "result": "ok",
    }
