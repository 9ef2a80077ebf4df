"""Weak settings prevent every process from starting; the error names the setting (OP)."""

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal.settings import environment as env
from portal.settings import validation
from tests.support.servers.live import ROOT

pytestmark = pytest.mark.one_database

SECRET = secrets.token_urlsafe(50)
KEY = secrets.token_bytes(32)
SQLITE = {"default": {"ENGINE": "django.db.backends.sqlite3"}}
POSTGRES = {"default": {"ENGINE": "django.db.backends.postgresql"}}


def cache(location: str) -> dict[str, Any]:
    return {"default": {"LOCATION": location}}


SOUND: dict[str, Any] = {
    "SECRET_KEY": SECRET,
    "LINK_KEYS": {"k1": KEY},
    "ENCRYPTION_KEYS": {"k1": secrets.token_bytes(32)},
    "DEBUG": False,
    "PUBLIC_URL": "https://weights.example.org",
    "ALLOWED_HOSTS": ["weights.example.org"],
    "TRUSTED_PROXIES": 1,
    "ACCEL_LOCATION": "",
    "DATABASES": POSTGRES,
    "CELERY_BROKER_URL": "redis://broker:word@queue.example.org:6379/0",
    "CACHES": cache("redis://cache:word@queue.example.org:6379/1"),
    "WEIGHTS_STORAGE": "s3://weights",
    "S3_PUBLIC_ENDPOINT_URL": "https://store.example.org",
    "CDN_URL": "",
    "METRICS_TOKEN": "",
}
ON_LOOPBACK = {"PUBLIC_URL": "http://127.0.0.1:8000", "ALLOWED_HOSTS": ["127.0.0.1"]}
PRELOADED = {
    "SECURE_HSTS_PRELOAD": True,
    "SECURE_HSTS_SECONDS": 31536000,
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
}

#: What is weak -> how the line about it begins, and a word of its remedy.
WEAK_ANYWHERE: list[tuple[dict[str, Any], str, str]] = [
    ({"SECRET_KEY": "short"}, "SECRET_KEY: ", "token_urlsafe(50)"),
    ({"SECRET_KEY": "k" * 60}, "SECRET_KEY: ", "token_urlsafe(50)"),
    ({"SECRET_KEY": f"django-insecure-{SECRET}"}, "SECRET_KEY: ", "token_urlsafe(50)"),
    ({"LINK_KEYS": {"k1": bytes(32)}}, "LINK_KEYS: key k1 is not random", "openssl rand"),
    ({"LINK_KEYS": {"k1": b"ab" * 16}}, "LINK_KEYS: key k1 is not random", "openssl rand"),
    ({"LINK_KEYS": {"k2": KEY, "k1": KEY}}, "LINK_KEYS: two ids", "openssl rand"),
    ({"SECRET_KEY": KEY.hex()}, "LINK_KEYS: key k1 is the SECRET_KEY", "openssl rand"),
    ({"ENCRYPTION_KEYS": {"k1": bytes(32)}}, "ENCRYPTION_KEYS: key k1 is not", "openssl rand"),
    ({"ENCRYPTION_KEYS": {"k1": KEY}}, "ENCRYPTION_KEYS: holds a key of LINK_KEYS", "openssl rand"),
    ({"ALLOWED_HOSTS": []}, "ALLOWED_HOSTS: ", "weights.example.org"),
    ({"ALLOWED_HOSTS": ["*"]}, "ALLOWED_HOSTS: ", "weights.example.org"),
    ({"ALLOWED_HOSTS": ["weights.example.org", "*"]}, "ALLOWED_HOSTS: ", "weights.example.org"),
    ({"ALLOWED_HOSTS": ["."]}, "ALLOWED_HOSTS: ", "weights.example.org"),
    ({"ALLOWED_HOSTS": ["other.example"]}, "ALLOWED_HOSTS: add weights.example.org", "PUBLIC_URL"),
    ({"DEBUG": True}, "DEBUG: ", "unset"),
    ({"DATABASES": SQLITE}, "DATABASE_URL: ", "postgres://"),
    ({"CACHES": cache("redis://x:y@queue.example.org/")}, "CACHE_URL: names the broker's", "/1"),
]
WEAK_IN_PRODUCTION: list[tuple[dict[str, Any], str, str]] = [
    ({**ON_LOOPBACK, "DEBUG": True}, "DEBUG: ", "unset"),
    ({"PUBLIC_URL": "http://weights.example.org"}, "PUBLIC_URL: ", "https://"),
    ({"S3_PUBLIC_ENDPOINT_URL": "http://store"}, "S3_PUBLIC_ENDPOINT_URL: ", "https://"),
    ({"CDN_URL": "http://cdn.example.org"}, "CDN_URL: ", "https://"),
    ({"TRUSTED_PROXIES": 0}, "TRUSTED_PROXIES: PUBLIC_URL is https", "set 1"),
    (
        {**ON_LOOPBACK, "ACCEL_LOCATION": "/blobs/", "TRUSTED_PROXIES": 0},
        "TRUSTED_PROXIES: ACCEL_LOCATION is set",
        "set 1",
    ),
    ({"CELERY_BROKER_URL": "redis://queue.example.org/0"}, "BROKER_URL: ", "BROKER_PASSWORD_FILE"),
    ({"CACHES": cache("rediss://c@queue.example.org/1")}, "CACHE_URL: ", "CACHE_PASSWORD_FILE"),
    ({**PRELOADED, "SECURE_HSTS_SECONDS": 3600}, "HSTS_PRELOAD: ", "HSTS_SECONDS=31536000"),
    (
        {**PRELOADED, "SECURE_HSTS_INCLUDE_SUBDOMAINS": False},
        "HSTS_PRELOAD: ",
        "HSTS_SUBDOMAINS=true",
    ),
]
STRONG: list[dict[str, Any]] = [
    {},
    PRELOADED,
    ON_LOOPBACK,
    {**ON_LOOPBACK, "TRUSTED_PROXIES": 0},
    {"PUBLIC_URL": "http://[::1]:8000", "ALLOWED_HOSTS": ["[::1]"]},
    {"ALLOWED_HOSTS": [".example.org"]},
    {"LINK_KEYS": {"k2": secrets.token_bytes(32), "k1": KEY}},
    {"DATABASES": SQLITE, "CELERY_BROKER_URL": "redis+socket:///run/broker.sock"},
    {"DATABASES": SQLITE, "CELERY_BROKER_URL": "memory://"},
    {"DATABASES": SQLITE, "CELERY_BROKER_URL": "redis://127.0.0.1:6379/0"},
    {"WEIGHTS_STORAGE": "file:///srv/weights", "S3_PUBLIC_ENDPOINT_URL": "http://unused"},
    {"S3_PUBLIC_ENDPOINT_URL": None},
    {"CACHES": cache("unix:///run/cache.sock?db=1")},
    {"CACHES": cache("redis://127.0.0.1:6379/1")},
]


@pytest.mark.parametrize("production", [True, False])
@pytest.mark.parametrize("change", STRONG)
def test_sound_settings_are_taken(change: dict[str, Any], production: bool) -> None:
    assert validation.weaknesses(SOUND | change, production=production) == []


@pytest.mark.parametrize("production", [True, False])
@pytest.mark.parametrize(("change", "begins", "remedy"), WEAK_ANYWHERE)
def test_settings_that_are_weak_anywhere_are_refused_in_one_line(
    change: dict[str, Any], begins: str, remedy: str, production: bool
) -> None:
    (line,) = validation.weaknesses(SOUND | change, production=production)
    assert line.startswith(begins)
    assert remedy in line
    assert "\n" not in line


@pytest.mark.requirement("OP-1")
@pytest.mark.parametrize(("change", "begins", "remedy"), WEAK_IN_PRODUCTION)
def test_settings_that_are_weak_in_production_are_refused_in_one_line(
    change: dict[str, Any], begins: str, remedy: str
) -> None:
    (line,) = validation.weaknesses(SOUND | change, production=True)
    assert line.startswith(begins)
    assert remedy in line
    assert "\n" not in line


def test_a_developer_may_debug_on_loopback() -> None:
    settings = SOUND | ON_LOOPBACK | {"DEBUG": True}
    assert validation.weaknesses(settings, production=False) == []
    validation.refuse(settings, production=False)


def test_a_refusal_shows_no_secret() -> None:
    weak = {
        "SECRET_KEY": "hunter2-hunter2",
        "LINK_KEYS": {"k1": bytes(32)},
        "DATABASES": SQLITE,
        "CELERY_BROKER_URL": "redis://:hunter2@queue.example.org/0",
    }
    with pytest.raises(ImproperlyConfigured) as refused:
        validation.refuse(SOUND | weak, production=True)
    assert len(str(refused.value).splitlines()) == 3
    assert "hunter2" not in str(refused.value)
    assert "00" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://broker@redis:6379/0", "redis://broker:a%2Fb@redis:6379/0"),
        ("redis://redis/0", "redis://:a%2Fb@redis/0"),
        ("redis://broker:own@redis/0", "redis://broker:own@redis/0"),
        ("redis+socket:///run/broker.sock", "redis+socket:///run/broker.sock"),
    ],
)
def test_a_redis_address_without_a_password_has_that_of_the_file(
    url: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_URL", url)
    monkeypatch.setenv("BROKER_PASSWORD", "a/b")
    assert env.redis("BROKER_URL", None, "BROKER_PASSWORD") == expected


def test_two_link_keys_of_one_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINK_KEYS", f"k1:{KEY.hex()},k1:{secrets.token_hex(32)}")
    with pytest.raises(ImproperlyConfigured, match=r"^LINK_KEYS: the id k1 occurs twice"):
        env.key_ring("LINK_KEYS")


# -- processes and commands -----------------------------------------------------------------


def production(public_url: str, folder: Path, **changed: str) -> dict[str, str]:
    """The environment of a production install that is not there."""
    host = public_url.partition("://")[2].partition(":")[0]
    return {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "portal.settings.production",
        "SECRET_KEY": SECRET,
        "LINK_KEYS": f"k1:{KEY.hex()}",
        "ENCRYPTION_KEYS": f"k1:{secrets.token_hex(32)}",
        "PUBLIC_URL": public_url,
        "ALLOWED_HOSTS": host,
        "TRUSTED_PROXIES": "1",
        "DATABASE_URL": "postgres://portal:word@127.0.0.1:9/portal",
        "BROKER_URL": "redis://127.0.0.1:9/0",
        "CACHE_URL": "redis://127.0.0.1:9/1",
        "WEIGHTS_STORAGE": f"file://{folder}",
        **changed,
    }


def ran(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True
    )


@pytest.mark.requirement("OP-2")
@pytest.mark.parametrize(
    ("public_url", "changed"),
    [
        ("https://weights.example.org", {}),
        ("https://weights.example.org", {"SECURE_SSL_REDIRECT": "false"}),
        ("http://127.0.0.1:8000", {}),
    ],
)
def test_the_deployment_check_finds_nothing(
    public_url: str, changed: dict[str, str], tmp_path: Path
) -> None:
    environment = production(public_url, tmp_path, **changed)
    done = ran(environment, "manage.py", "check", "--deploy", "--fail-level", "INFO")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("System check identified no issues")


@pytest.mark.requirement("OP-1")
@pytest.mark.parametrize(
    "command",
    [("manage.py", "migrate"), ("manage.py", "check"), ("-m", "portal.processes", "web")],
)
def test_every_start_is_refused_with_a_line_for_each_weakness(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    weak = {"DEBUG": "true", "SECRET_KEY": "short", "ALLOWED_HOSTS": "*", "TRUSTED_PROXIES": "0"}
    done = ran(production("https://weights.example.org", tmp_path, **weak), *command)
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    names = {line.partition(":")[0] for line in lines}
    assert len(lines) == len(names)
    assert names == {"SECRET_KEY", "ALLOWED_HOSTS", "DEBUG", "TRUSTED_PROXIES"}


def test_a_missing_key_is_one_line_that_says_how_to_make_it(tmp_path: Path) -> None:
    unset = production("https://weights.example.org", tmp_path, ENCRYPTION_KEYS="")
    done = ran(unset, "manage.py", "check")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ENCRYPTION_KEYS: is not set; create a key with: ")
    assert "ENCRYPTION_KEYS_FILE to a file" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_embedded_install_refuses_weak_settings_too(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(tmp_path),
        "PUBLIC_URL": "http://lab.example.org:8000",
        "DEBUG": "true",
        "BROKER_URL": "redis://queue.example.org/0",
    }
    done = ran(environment, "manage.py", "quickstart")
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == [
        "DATABASE_URL",
        "DEBUG",
    ]
