"""The Redis counters' circuit breaker: one timeout per second, one log line per minute."""

import socket
import time
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from accounts.rate_limits import buckets, redis_connection, tallies
from accounts.rate_limits.buckets import API_ANONYMOUS
from tests.support.counters import away

pytestmark = pytest.mark.one_database


@pytest.fixture
def hanging() -> Iterator[str]:
    """The URL of a server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.mark.slow
@pytest.mark.requirement("AC-10")
def test_counters_that_hang_hold_one_request_a_second_and_not_each(
    hanging: str, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with away(settings, hanging):
        began = time.monotonic()
        verdicts = [buckets.take(API_ANONYMOUS, "somebody") for _ in range(500)]
        tallies.add("refused", "licence_required")
        assert tallies.drain("refused") == {}
        took = time.monotonic() - began
    assert {(one.allowed, one.counted) for one in verdicts} == {(True, False)}
    assert took < 5.0, "each of 500 would have waited half a second"
    assert caplog.text.count("does not answer") == 1


def test_counters_that_are_back_are_used_again_after_a_second(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    available = redis_connection.shared()
    monkeypatch.setattr(redis_connection, "_RETRY_AFTER", 0.3)  # shorter than the real second
    with away(settings):
        broken = redis_connection.shared()
        assert not buckets.take(API_ANONYMOUS, "somebody").counted
        broken.client = available.client  # it listens again
        assert not buckets.take(API_ANONYMOUS, "somebody").counted
        time.sleep(0.3)
        assert buckets.take(API_ANONYMOUS, "somebody").counted
    assert caplog.text.count("does not answer") == 1
