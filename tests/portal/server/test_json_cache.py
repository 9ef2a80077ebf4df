"""The cache contains JSON: foreign entries are never executed and never cause errors."""

import logging
import pickle
import time
from pathlib import Path
from typing import Any

import pytest
import redis
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from accounts.applications import organisations
from portal.server import json_cache
from tests.support import factories
from tests.support.totp import current_code
from weights.catalogue import download_counts

pytestmark = pytest.mark.one_database

SECRET = "JBSWY3DPEHPK3PXP"
#: A part of each key that the visits below must have written.
USERS_OF_THE_CACHE = (
    *("transparency", "organisations", "download-counts"),
    *("account:login", "account:login_failed", "totp.used", "rate:sign-in", "rate:api"),
)


class Touch:
    """What a pickle of it does when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.fixture
def server() -> redis.Redis:
    client: redis.Redis = redis.Redis.from_url(settings.CACHES["default"]["LOCATION"])
    return client


def visit(client: Client) -> list[Any]:
    """Use everything that is cached, and return what came of it."""
    typed = {"login": "known", "password": "wrong password 1"}
    return [
        client.get("/transparency/").status_code,
        client.get("/api/v1/transparency/").status_code,
        client.get("/api/v1/transparency/integrity.csv").status_code,
        client.get("/api/models").status_code,
        client.post("/accounts/login/", typed).status_code,
        organisations.suggestions(),
        is_accepted(SECRET),
    ]


def is_accepted(secret: str) -> bool:
    with current_code(secret) as code:
        return bool(TOTP(Authenticator.objects.get()).validate_code(code))


HOSTILE = {
    "not JSON": b"\x80\x04nonsense",
    "too deep": b"[" * 100_000,
    "no number": b"NaN",
    "beyond the numbers": b"1" * 5000,
    "another encoding": "é".encode("utf-16"),
}


@pytest.mark.requirement("CE-7")
@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["pickle", "list of Redis", *HOSTILE])
def test_foreign_values_in_the_cache_have_no_effect(
    kind: str,
    client: Client,
    server: redis.Redis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(download_counts, "_CACHE_FACTOR", 10**7)  # a short ledger is cached as well
    person = factories.person("known")
    Authenticator.objects.create(user=person, type="totp", data={"secret": SECRET})
    with time_machine.travel(time.time(), tick=False):
        expected = visit(client)
        keys = list(server.scan_iter())
        for part in USERS_OF_THE_CACHE:
            assert any(part in key.decode() for key in keys), part
        for key in keys:
            server.delete(key)
            if kind == "list of Redis":
                server.rpush(key, "1")
            elif kind == "pickle":
                server.set(key, pickle.dumps(Touch(tmp_path / "ran")))
            else:
                server.set(key, HOSTILE[kind])
        answers = visit(client)
    assert not (tmp_path / "ran").exists(), "the pickle ran"
    # A used code stays used, whatever its key contains.
    assert answers == [*expected[:-1], False]


@pytest.mark.django_db
@pytest.mark.parametrize("value", [5, "x", [], {}, {"made_at": 1}, [{"a": 1}], None, True, 1.5])
def test_json_of_another_shape_is_counted_anew(value: Any, client: Client) -> None:
    expected = client.get("/api/v1/transparency/").json()
    for key in ("transparency:4", "organisations", "download-counts"):
        cache.set(key, value)
    numbers = client.get("/api/v1/transparency/").json()
    assert numbers.keys() == expected.keys()
    assert numbers["integrity"] == expected["integrity"]
    assert organisations.suggestions() == []
    assert download_counts.of_checkpoint(1) == 0


@pytest.mark.django_db
def test_the_numbers_from_the_cache_are_those_that_were_counted(
    client: Client, store: Path
) -> None:
    factories.published("acme/opt", files={"a.bin": b"x"})
    first = client.get("/api/v1/transparency/")
    page = client.get("/transparency/").text
    assert cache.get("transparency:4")["made_at"]
    assert client.get("/api/v1/transparency/").json() == first.json()
    assert client.get("/transparency/").text == page


@pytest.mark.parametrize(
    "value",
    [0, -7, 10**30, True, False, None, "", "é\ud800", 1.5, [1.25, 2], {"a": [None, {"b": "c"}]}],
)
def test_values_of_json_come_back_as_they_were(value: Any) -> None:
    cache.set("value", value)
    assert cache.get("value", "missing") == value
    assert cache.get_many(["value", "other"]) == {"value": value}
    assert cache.add("value", 1) is False


@pytest.mark.parametrize("value", [{1, 2}, b"x", object(), float("nan")])
def test_other_values_are_refused_when_they_are_written(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        cache.set("value", value)


def test_integers_are_counted_by_the_server() -> None:
    cache.set("count", 5)
    assert (cache.incr("count"), cache.incr("count", 4), cache.decr("count", 3)) == (6, 10, 7)
    assert cache.get("count") == 7


def test_a_value_that_is_too_long_is_not_cached_nor_read_whole(
    server: redis.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # A shorter bound than four megabytes, which would be slow to fill.
    monkeypatch.setattr(json_cache, "MOST_BYTES", 100)
    json_cache._warn_once.cache_clear()
    cache.set("long", "short")
    cache.set("long", "x" * 100)
    assert cache.get("long") is None
    server.set(cache.make_key("long"), b'"' + b"x" * 100_000 + b'"')
    assert cache.get("long", "miss") == "miss"
    assert len(caplog.records) == 2


def test_a_bad_entry_is_logged_once_without_an_address(
    server: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    json_cache._warn_once.cache_clear()
    key = "allauth:rl:allauth.account:login:30/60:ip:192.0.2.7"
    server.set(cache.make_key(key), b"\x80")
    with caplog.at_level(logging.WARNING):
        assert [cache.get(key) for _ in range(3)] == [None] * 3
    assert len(caplog.messages) == 1
    assert "allauth.account:login" in caplog.text
    assert "192.0.2.7" not in caplog.text
