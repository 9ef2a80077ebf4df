"""Measure how soon a refusal takes effect, and how soon a flipped bit is detected.

Run from the project's folder: `.venv/bin/python bench/integrity.py [MEGABYTES [STORE…]]`. STORE
is `files` or `s3` (default: both), MEGABYTES the size of the file (default: 256). In rounds, on a
web server of two processes:

- A grant is revoked, or a blob quarantined, while a client sends requests without a pause:
  measures the time from the commit to the first refusal, and counts requests sent after the
  commit that still got bytes (there must be none).
- A write flips a bit (files): measures the time until the next request is refused.
- A bit is flipped without a change of mtime (files), or by a write (S3): measures how long
  `manage.py scrub --all` takes to quarantine the blob, with its three repeated readings.
"""

import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from support import install, servers
from support.usage import show_help

ROUNDS = 15
MEGABYTE = 10**6
REPO, NAME = "bench/gated", "weights.bin"


def main(megabytes: int, kinds: list[str]) -> None:
    for kind in kinds:
        # One process per store, because settings are read once.
        done = subprocess.run([sys.executable, __file__, "--one", str(megabytes), kind])
        if done.returncode:
            raise SystemExit(done.returncode)


def measure(megabytes: int, kind: str) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-integrity-") as name, ExitStack() as running:
        folder = Path(name)
        environment = _storage(kind, folder, running)
        environment |= {"SCRUB_BYTES_PER_SECOND": "100000000000", "LOG_LEVEL": "CRITICAL"}
        install.prepare(folder, **environment)
        source = folder / "source"
        source.mkdir()
        (source / NAME).write_bytes(os.urandom(megabytes * MEGABYTE))
        install.publish(source, REPO, "reviewed")
        [token] = install.tokens_with_access(1)
        port = servers.free_port()
        running.enter_context(servers.running(_web(port), port))
        ask = _Client(port, token)
        for _ in range(20):
            ask()  # warms the server up
        refusals(kind, ask)
        if kind == "files":
            next_read(ask)
        scrub(kind, megabytes)
        install.close()


def _storage(kind: str, folder: Path, running: ExitStack) -> dict[str, str]:
    if kind == "files":
        return {}
    sys.path.insert(0, str(install.ROOT))
    from tests.support.servers import s3

    os.environ |= {
        "AWS_ACCESS_KEY_ID": s3.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": s3.SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    store = s3.start(folder / "s3")
    running.callback(store.stop)
    return {"WEIGHTS_STORAGE": f"s3://{s3.BUCKET}/bench", "S3_ENDPOINT_URL": store.endpoint}


def _web(port: int) -> list[str]:
    from portal import processes

    return processes.web(f"127.0.0.1:{port}", workers=2)


class _Client:
    """Requests one byte of the file; returns True if it was sent or redirected."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}", "Range": "bytes=0-0"}

    def __call__(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.request("GET", f"/{REPO}/resolve/main/{NAME}", headers=self._headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status not in {206, 302, 403, 503}:
            raise SystemExit(f"answered {answer.status}")
        return answer.status in {206, 302}


# -- refusals -----------------------------------------------------------------------------


def refusals(kind: str, ask: _Client) -> None:
    from accounts.grants import lifecycle
    from accounts.grants.models import Grant
    from weights.storage.models import Blob

    grant, blob = Grant.objects.get(), Blob.objects.get()
    state = Grant.State

    def revoke() -> None:
        lifecycle.revoke(Grant.objects.get(pk=grant.pk), by=None, reason="a benchmark revokes it")

    def restore_grant() -> None:
        Grant.objects.filter(pk=grant.pk).update(state=state.ACTIVE, ended_at=None)

    def quarantine() -> None:
        Blob.objects.filter(pk=blob.pk).update(state=Blob.State.QUARANTINED)

    def lift() -> None:
        Blob.objects.filter(pk=blob.pk).update(state=Blob.State.VERIFIED)

    for label, close, reopen in (
        ("revocation", revoke, restore_grant),
        ("quarantine", quarantine, lift),
    ):
        rounds = [_first_refusal(ask, close, reopen) for _ in range(ROUNDS)]
        late = sum(count for _, count in rounds)
        spread = _spread([1000 * seconds for seconds, _ in rounds])
        print(
            f"{kind}: {label} to first refusal {spread} ms;"
            f" bytes sent to requests after it: {late}",
            flush=True,
        )


def _first_refusal(
    ask: _Client, close: Callable[[], None], reopen: Callable[[], None]
) -> tuple[float, int]:
    """Return seconds from commit to first refusal, and how many later requests were allowed."""
    from django.db import transaction

    answers: list[tuple[float, float, bool]] = []
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            sent = time.monotonic()
            allowed = ask()
            answers.append((sent, time.monotonic(), allowed))

    client = threading.Thread(target=go_on)
    client.start()
    time.sleep(0.2)
    commits: list[float] = []
    with transaction.atomic():
        transaction.on_commit(lambda: commits.append(time.monotonic()))  # before queued tasks
        close()
    [committed] = commits
    while all(allowed for _, _, allowed in list(answers)):
        time.sleep(0.001)
    stop.set()
    client.join()
    reopen()
    first = min(received for _, received, allowed in answers if not allowed)
    return max(first - committed, 0.0), sum(
        allowed for sent, _, allowed in answers if sent > committed
    )


# -- a flipped bit ------------------------------------------------------------------------


def next_read(ask: _Client) -> None:
    """Flip a bit with a write, which changes the mtime; the next request must be refused."""
    from weights.integrity import verification
    from weights.storage.models import Blob

    waits, served = [], 0
    for _ in range(ROUNDS):
        if not ask():
            raise SystemExit("the file is refused before it is damaged")
        _flip(hidden=False)
        began = time.monotonic()
        served += ask()
        waits.append(1000 * (time.monotonic() - began))
        _flip(hidden=False)  # and back
        verification.verify(Blob.objects.get().pk)
    spread = _spread(waits)
    print(
        f"files: a flipped bit at the next request: refused in {spread} ms; served {served} times"
    )


def scrub(kind: str, megabytes: int) -> None:
    """Flip a bit without changing the mtime (on S3 by a write), and let the scrub find it."""
    from weights.storage.models import Blob

    _flip(hidden=True)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(install.ROOT / "manage.py"), "scrub", "--all"],
        capture_output=True,
        text=True,
    )
    seconds = time.monotonic() - began
    blob = Blob.objects.get()
    runs = blob.runs.filter(result="mismatch")
    if done.returncode != 1 or blob.state != Blob.State.QUARANTINED:
        raise SystemExit(f"the flip was not found: {done.stdout}{done.stderr}")
    rate = sum(run.rate for run in runs) / len(runs) / MEGABYTE
    print(
        f"{kind}: a flipped bit in {megabytes} MB by manage.py scrub --all: quarantined after"
        f" {seconds:.1f} s, {len(runs)} readings at {rate:.0f} MB/s; exit {done.returncode}"
    )


def _flip(*, hidden: bool) -> None:
    """Flip one bit of the stored blob in place; `hidden` restores the file's mtime."""
    from weights.storage import blob_storage
    from weights.storage.models import Blob
    from weights.storage.protocol import blob_key

    store, name = blob_storage(), Blob.objects.get().sha256
    path = store.local_path(name)
    if path is None:
        from tests.support.servers import s3

        key = store.prefix + blob_key(name)
        client = s3.Store(os.environ["S3_ENDPOINT_URL"]).client()
        content = bytearray(client.get_object(Bucket=store.bucket, Key=key)["Body"].read())
        content[len(content) // 2] ^= 1
        client.put_object(Bucket=store.bucket, Key=key, Body=bytes(content))
        return
    before = path.stat()
    with path.open("r+b") as stream:
        stream.seek(before.st_size // 2)
        byte = stream.read(1)[0]
        stream.seek(before.st_size // 2)
        stream.write(bytes([byte ^ 1]))
    if hidden:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


if __name__ == "__main__":
    show_help(__doc__)
    if sys.argv[1:2] == ["--one"]:
        measure(int(sys.argv[2]), sys.argv[3])
    else:
        main(
            int(sys.argv[1]) if len(sys.argv) > 1 else 256,
            sys.argv[2:] or ["files", "s3"],
        )
