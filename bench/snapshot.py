"""Measure `snapshot_download` from the portal, a bare redirector, and olah.

Run from the project's folder: `.venv/bin/python bench/snapshot.py [CASE]… [--rounds N]`.
The redirector is compared on `large` (64 files of 64 MB) and `small` (992 shards of 64 kB), olah on
`eight` and `few`, because its cache takes minutes to fill. For each side in turn, the same client
runs in a new process and downloads into an empty folder. The redirector is nginx with prepared
responses; olah serves from its filled cache, offline. All files are in `TMPDIR`, where `large`
needs 8 GB.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from comparisons import olah, redirector
from comparisons.redirector import ServedFile
from support import install, report, servers
from support.report import Round
from support.servers import Server

ROUNDS = 5
MEGABYTE = 10**6

# A researcher's script; it times only the download.
CLIENT = """
import pathlib, sys, time
from huggingface_hub import snapshot_download
repo_id, folder, files, size = *sys.argv[1:3], *map(int, sys.argv[3:])
started, used = time.monotonic(), time.process_time()
found = snapshot_download(repo_id, cache_dir=folder, token=False)
print(time.monotonic() - started, time.process_time() - used)
sizes = [path.stat().st_size for path in pathlib.Path(found).iterdir()]
assert sizes == [size] * files, (len(sizes), set(sizes))
"""


class Case(NamedTuple):
    """A checkpoint: `files` files of `size` bytes."""

    label: str
    repo_id: str
    files: int
    size: int
    bases: tuple[str, ...]

    @property
    def gigabytes(self) -> float:
        return self.files * self.size / 10**9


CASES = {
    "large": Case("64 files of 64 MB", "bench/large", 64, 64 * MEGABYTE, ("redirector",)),
    "eight": Case("8 files of 64 MB", "bench/eight", 8, 64 * MEGABYTE, ("olah",)),
    "small": Case("992 files of 64 kB", "bench/small", 992, 64_000, ("redirector",)),
    "few": Case("96 files of 64 kB", "bench/few", 96, 64_000, ("olah",)),
}


class Side(NamedTuple):
    """A server from which the client downloads; `port` is that of its API."""

    label: str
    server: Server
    port: int


class Taken(NamedTuple):
    """Seconds of one download, and CPU seconds of server and client."""

    wall: float
    server: float
    client: float


def main(names: list[str], rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-snapshot-") as name:
        folder = Path(name)
        ours = servers.free_port()
        install.prepare(folder, PUBLIC_URL=f"http://127.0.0.1:{ours}")
        for case in (CASES[name] for name in names):
            sha = publish(folder, case)
            with sides(folder, ours, case, sha) as found:
                compare(folder, case, found, rounds)
        install.close()


def publish(folder: Path, case: Case) -> str:
    """Publish and verify files of random bytes; return the revision's id."""
    source = folder / "source"
    source.mkdir()
    for number in range(case.files):
        name = f"checkpoint_last-model_part-{number % 8}-shard{number // 8}.pt"
        (source / name).write_bytes(os.urandom(case.size))
    sha = install.publish(source, case.repo_id)
    shutil.rmtree(source)
    return sha


# -- the sides ------------------------------------------------------------------------------


@contextmanager
def sides(folder: Path, port: int, case: Case, sha: str) -> Iterator[list[Side]]:
    """Start the portal and the installed bases."""
    from portal import processes

    with ExitStack() as stack:
        web = stack.enter_context(servers.running(processes.web(f"127.0.0.1:{port}"), port))
        found = [Side("weighbridge", web, port)]
        makers = {"redirector": _redirector, "olah": _olah}
        for base in case.bases:
            side = makers[base](folder, case, sha, port)
            found += [stack.enter_context(side)] if side else []
        yield found


def _redirector(folder: Path, case: Case, sha: str, _: int) -> AbstractContextManager[Side] | None:
    from django.conf import settings

    ports = servers.free_port(), servers.free_port()
    blobs = Path(settings.WEIGHTS_STORAGE.removeprefix("file://"))
    command = redirector.command(
        folder / "nginx", ports, case.repo_id, sha, served_files(sha), blobs
    )
    if command is None:
        report.not_measured(f"{case.label}, redirector", "nginx is not installed")
        return None
    return _as_side("redirector and nginx", servers.running(command, ports[0]))


def _olah(folder: Path, case: Case, _: str, origin: int) -> AbstractContextManager[Side] | None:
    program = olah.program()
    if isinstance(program, str):
        report.not_measured(f"{case.label}, olah", program)
        return None
    with olah.mirror(program, folder / "olah", origin, offline=False) as filling:
        download(folder, case, Side("olah", filling, filling.port))
    return _as_side("olah", olah.mirror(program, folder / "olah", origin, offline=True))


@contextmanager
def _as_side(label: str, server: AbstractContextManager[Server]) -> Iterator[Side]:
    with server as running:
        yield Side(label, running, running.port)


def served_files(sha: str) -> list[ServedFile]:
    """The revision's files, with the paths of their blobs below the store's folder."""
    from weights.publishing.models import File
    from weights.storage.protocol import blob_key

    rows = File.objects.filter(revision__sha=sha).select_related("blob")
    return [ServedFile(f.path, f.size, f.sha256, f.git_oid, blob_key(f.sha256)) for f in rows]


# -- the download --------------------------------------------------------------------------


def compare(folder: Path, case: Case, found: list[Side], rounds: int) -> None:
    taken: dict[str, list[Taken]] = {side.label: [] for side in found}
    for _ in range(rounds):
        for side in found:
            taken[side.label].append(download(folder, case, side))
    ours = found[0]
    for base in found[1:]:
        report.line(
            f"snapshot_download, {case.label}",
            "s",
            _rounds(case, taken[ours.label]),
            base.label,
            _rounds(case, taken[base.label]),
            cpu_unit="GB",
            peak=ours.server.peak_memory(),
            smaller_is_better=True,
        )
    for label, rows in taken.items():
        wall, server, client = (statistics.median(column) for column in zip(*rows, strict=True))
        print(
            f"  {label}: {wall:.2f} s; CPU {server:.2f} s of the server, {client:.2f} s of the"
            f" client; a file {_ms(wall, case)}, {_ms(server, case)}, {_ms(client, case)} ms",
            flush=True,
        )


def _ms(seconds: float, case: Case) -> str:
    return f"{seconds / case.files * 1000:.2f}"


def _rounds(case: Case, taken: list[Taken]) -> list[Round]:
    return [Round(one.wall, one.server / case.gigabytes) for one in taken]


def download(folder: Path, case: Case, side: Side) -> Taken:
    """Download everything into an empty folder, in a process without other settings."""
    into = folder / "downloaded"
    environment = {
        "PATH": os.environ["PATH"],
        "HF_HOME": str(folder / "hf-home"),
        "HF_ENDPOINT": f"http://127.0.0.1:{side.port}",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    before = side.server.cpu()
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, case.repo_id, str(into), str(case.files), str(case.size)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    after = side.server.cpu()
    shutil.rmtree(into, ignore_errors=True)
    if done.returncode:
        raise SystemExit(f"{side.label}: {done.stderr}")
    wall, client = map(float, done.stdout.split())
    return Taken(wall, after - before, client)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", choices=list(CASES))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    # Exit normally on SIGTERM, so that servers stop and folders are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main(options.cases or list(CASES), options.rounds)
