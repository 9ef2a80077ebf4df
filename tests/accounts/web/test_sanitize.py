"""Text in the trail is one line without credentials, whatever its source."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.api_tokens import token_format
from accounts.audit.merkle_log.canonical import canonical
from accounts.audit.models import AuditEvent
from accounts.web import sanitize
from tests.support.sample_events import SampleEvent

pytestmark = pytest.mark.one_database

LINK = "AbCdEfGhIjKlMnOpQrStUv.1800000000.k1." + "s" * 43


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("plain, ünïcode and 模型", "plain, ünïcode and 模型"),
        ("one\ntwo\r\n\tthree", "one\\ntwo\\r\\n\\tthree"),
        ("\x00\x1b[31m\x7f\x9b", "\\u0000\\u001b[31m\\u007f\\u009b"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("a\u2028b\ud800", "a\\u2028b\\ud800"),
        (f"see /d/{LINK}/a.pt", f"see /d/{sanitize.REMOVED}/a.pt"),
        (
            f"/f/a/b?e=1800000000&k=k1.1&s={'q' * 43}",
            "/f/a/b?e=1800000000&k=k1.1&s=[secret removed]",
        ),
    ],
)
def test_hidden_characters_are_shown_and_secrets_removed(given: str, kept: str) -> None:
    assert sanitize.log_line(given) == kept


def test_numbers_that_json_does_not_carry_become_texts() -> None:
    largest = 2**53 - 1
    given = [largest, -largest, largest + 1, -(10**16), 1e300, 0.5, True, None, math.inf, math.nan]
    kept = [largest, -largest, "9007199254740992", "-10000000000000000", "1e+300"]
    assert sanitize.log_value(given) == [*kept, 0.5, True, None, "inf", "nan"]
    assert canonical(sanitize.log_value({"all": given}))


def test_a_token_is_removed_wherever_it_occurs() -> None:
    token = token_format.new()
    found = sanitize.log_value({"reason": [f"my token is {token}"], token: {"deep": (token,)}})
    assert token not in json.dumps(found)


@given(st.text())
def test_sanitize_removes_hidden_characters_and_is_idempotent(given: str) -> None:
    once = sanitize.log_line(given)
    assert sanitize.log_line(once) == once
    assert not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in once)


def test_a_deeply_nested_value_ends() -> None:
    value: object = "x"
    for _ in range(2000):
        value = [value]
    assert sanitize.LEFT_OUT in json.dumps(sanitize.log_value(value))


@pytest.mark.django_db
def test_an_event_is_stored_without_line_breaks_and_tokens() -> None:
    token = token_format.new()
    event = AuditEvent.record(SampleEvent.DONE, details={"reason": f"one\ntwo {token}"})
    event.refresh_from_db()
    assert event.details == {"reason": f"one\\ntwo {sanitize.REMOVED}"}
