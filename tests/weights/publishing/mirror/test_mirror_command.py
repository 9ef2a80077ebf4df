"""`manage.py mirror` as a real process: killed, refused, with constant memory, from a portal."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from accounts.tiers.models import Tier
from tests.support import factories
from tests.support.servers import live, services
from tests.support.servers.install import Install, new_install
from tests.support.servers.live import Command, Portal
from tests.support.servers.source_hub import Request, SourceHub
from weights.publishing.models import Revision

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.processes,
    pytest.mark.one_database,
]

LARGE = os.urandom(1 << 20) * 24


@pytest.fixture
def command(open_tier: Tier, store: Path, settings: Settings, tmp_path: Path) -> Portal:
    """Runs manage.py against this test's database and store; no server behind it."""
    environment = live.environment("http://127.0.0.1:1", settings.WEIGHTS_STORAGE)
    return Portal("", environment, tmp_path)


def arguments(hub: SourceHub, *more: str) -> list[str]:
    return [
        *("mirror", hub.url, "lab/model", "--tier", "open", "--as", "acme/copy"),
        *("--allow-private-address", hub.address, *more),
    ]


def wait_for(sent: list[int], count: int, running: Command) -> None:
    """Return once the hub has sent more blocks, or the command has ended."""
    services.wait_until(
        lambda: len(sent) > count or running.process.poll() is not None, "blocks", pause=0.002
    )


def test_mirror_prints_only_the_id_and_a_progress_bar_on_stderr(
    command: Portal, hub: SourceHub
) -> None:
    done = command.manage(*arguments(hub))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == Revision.objects.get().sha
    assert "Fetching: 100%" in done.stderr


@pytest.mark.requirement("IN-14")
def test_a_mirror_killed_repeatedly_continues_with_what_it_has(
    command: Portal, hub: SourceHub, store: Path
) -> None:
    names = [f"shard-{number}.txt" for number in range(3)]
    hub.files |= {name: LARGE[number:] for number, name in enumerate(names)}

    def slowly(request: Request) -> None:
        content = hub.files[request.path.rpartition("/")[2]]
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        ranged = f"bytes {start}-{len(content) - 1}/{len(content)}"
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(content) - start))
        request.send_header("Content-Range", ranged)
        request.end_headers()
        for offset in range(start, len(content), 1 << 20):
            request.wfile.write(content[offset : offset + (1 << 20)])
            sent.append(offset)
            time.sleep(0.02)

    sent: list[int] = []
    hub.lie_about("shard-", slowly)
    killed = 0
    for count in (5, 20, 30, 45):
        running = command.begin(*arguments(hub))
        wait_for(sent, count, running)
        killed += running.kill() == -signal.SIGKILL
        assert not Revision.objects.exists()
    assert killed == 4
    done = command.manage(*arguments(hub))
    assert done.returncode == 0, done.stderr
    revision = Revision.objects.get()
    expected = {path: hashlib.sha256(content).hexdigest() for path, content in hub.files.items()}
    assert {file.path: file.sha256 for file in revision.files.select_related("blob")} == expected
    # Sockets hold a few megabytes that are sent and lost at each kill.
    assert len(sent) < len(names) * 24 + killed * 8
    assert list((store / ".uploads").iterdir()) == []


def test_two_mirrors_of_one_revision_do_not_disturb_each_other(
    command: Portal, hub: SourceHub
) -> None:
    def slow(request: Request) -> None:
        time.sleep(3)
        request.honest()

    hub.lie_about("config.json", slow)
    first = command.begin(*arguments(hub))
    services.wait_until(lambda: bool(hub.requested("config.json")), "the first file")
    second = command.manage(*arguments(hub))
    assert second.returncode == 1
    assert "another process mirrors this revision" in second.stderr
    assert first.finish().returncode == 0


def test_a_refusal_is_one_line_and_shows_no_token(
    command: Portal, hub: SourceHub, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("hf_secret\n")
    hub.lies["/api/"] = lambda request: request.send(401, b"")
    done = command.manage(*arguments(hub, "--token-file", str(token)))
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "answers 401; pass a token of the source" in done.stderr
    assert hub.requests[0].headers["Authorization"] == "Bearer hf_secret"
    token.write_text("two words")
    done = command.manage(*arguments(hub, "--token-file", str(token)))
    assert "contains no token" in done.stderr
    assert "two words" not in done.stderr
    done = command.manage(*arguments(hub, "--ca-file", str(tmp_path / "none")))
    assert "name a file with CA certificates" in done.stderr


def peak_of(command: Portal, *words: str) -> int:
    """Peak memory of a command in KiB, in a separate interpreter."""
    running = subprocess.Popen(
        [sys.executable, str(live.ROOT / "manage.py"), *words],
        env=command.environment,
        cwd=live.ROOT,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0
    return usage.ru_maxrss


def list_zeros(hub: SourceHub, size: int) -> None:
    """Make the hub list and send one file of zeros, which this process never holds whole.

    A child's peak memory counts that of its parent.
    """
    block, digest = bytes(1 << 20), hashlib.sha256()
    for _ in range(size >> 20):
        digest.update(block)

    def send(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(size))
        request.end_headers()
        for _ in range(size >> 20):
            request.wfile.write(block)

    lfs = {"oid": digest.hexdigest(), "size": size, "pointerSize": 134}
    listed = {"type": "file", "path": "model.txt", "size": size, "oid": "0" * 40, "lfs": lfs}
    hub.lies["/api/models/lab/model/tree/"] = lambda request: request.json([listed])
    hub.lie_about("model.txt", send)


def test_memory_stays_flat_while_a_large_file_is_mirrored(command: Portal, hub: SourceHub) -> None:
    peaks = []
    for size in (1 << 20, 1 << 27):
        list_zeros(hub, size)
        peaks.append(peak_of(command, *arguments(hub)))
    assert Revision.objects.count() == 2
    assert peaks[1] - peaks[0] < 40 * 1024, f"{peaks} KiB"


# -- from a second portal -----------------------------------------------------------------


@pytest.fixture(scope="module")
def source_portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Install]:
    """A second portal with its own database and store, which holds `lab/open` and `lab/gated`."""
    with new_install(tmp_path_factory.mktemp("source")) as made:
        made.start("--no-demo")
        folder = tmp_path_factory.mktemp("model")
        (folder / "config.json").write_text('{"model_type": "opt"}')
        (folder / "sub").mkdir()
        (folder / "sub" / "model.safetensors").write_bytes(factories.safetensors(bytes(1 << 20)))
        for name, tier in (("open", "open"), ("gated", "opt-175b")):
            done = made.manage("publish", str(folder), f"lab/{name}", "--tier", tier, "--wait")
            assert done.returncode == 0, done.stderr
        yield made


def mirror_from(
    source: Install, command: Portal, name: str, *more: str
) -> subprocess.CompletedProcess[str]:
    address = source.url.removeprefix("http://")
    words = (source.url, f"lab/{name}", "--tier", "open", "--allow-private-address", address)
    return command.manage("mirror", *words, *more)


@pytest.mark.xdist_group("source portal")
def test_an_open_checkpoint_of_a_second_portal_is_mirrored(
    command: Portal, source_portal: Install
) -> None:
    done = mirror_from(source_portal, command, "open")
    assert done.returncode == 0, done.stderr
    revision = Revision.objects.get()
    origin = source_portal.query(
        "select sha, manifest_sha256 from weights_revision join weights_checkpoint c"
        " on c.id = checkpoint_id where c.org = 'lab' and c.name = 'open'"
    )
    # The same files and no parent, so the same id.
    assert origin == [(revision.sha, revision.manifest_sha256)]
    assert revision.sources.get().commit == revision.sha


@pytest.mark.xdist_group("source portal")
def test_a_gated_checkpoint_of_a_second_portal_needs_a_token_with_access(
    command: Portal, source_portal: Install, tmp_path: Path
) -> None:
    refused = mirror_from(source_portal, command, "gated")
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert "--token-file" in refused.stderr
    assert not Revision.objects.exists()
    for words in (
        ("create_account", "ada", "ada@example.org"),
        ("grant", "ada", "opt-175b", "--reason", "a mirror"),
    ):
        done = source_portal.manage(*words)
        assert done.returncode == 0, done.stderr
    token = source_portal.manage("create_token", "ada", "--scope", "read-gated")
    file = tmp_path / "token"
    file.write_text(token.stdout)
    done = mirror_from(source_portal, command, "gated", "--token-file", str(file))
    assert done.returncode == 0, done.stderr
    assert Revision.objects.get().file_count == 2
