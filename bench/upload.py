"""Measure `hf upload` to the portal against a bare LFS server and against `cp`.

Run from the project's folder: `.venv/bin/python bench/upload.py [--files N] [--size BYTES]
[--rounds N]`. In every round each side sends new random files, in turn:

- `lfs` and `xet`: `hf upload` to the portal, with HF_HUB_DISABLE_XET=1 and with hf_xet;
- `giftless`: the LFS functions of the same client, because giftless has no commits;
- `cp`: `cp -r` into the page cache.

A time is that of the client's process: its start, its hashing, and on the portal the commit. nginx
in front of both servers counts requests and received bytes, including headers. Peak memory is
VmHWM of the largest process, reset before each upload. CPU time is that of servers and client.
After the rounds, each client is killed when half the bytes have arrived, and runs again.

The defaults are small; for a release, use `--files 40 --size 100000000` (4 GB) and `--files 992
--size 350000`. A case needs four times its size on disk for each round, and four times more.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from comparisons import giftless
from support import counters, fronts, install, report, servers
from support.report import Round
from support.servers import Server

ROUNDS = 3
MIB = 1 << 20


class Case(NamedTuple):
    """A checkpoint: `files` files of `size` bytes."""

    files: int
    size: int

    @property
    def total(self) -> int:
        return self.files * self.size

    def write(self, folder: Path) -> Path:
        """Fill a new folder with safetensors of random bytes, of which no server has chunks."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        data = self.size - 128
        tensor = {"dtype": "U8", "shape": [data], "data_offsets": [0, data]}
        header = json.dumps({"weight": tensor}).ljust(120).encode()
        for number in range(self.files):
            with (folder / f"model-{number:05}.safetensors").open("wb") as stream:
                stream.write(struct.pack("<Q", len(header)) + header)
                for start in range(0, data, MIB):
                    stream.write(os.urandom(min(MIB, data - start)))
        return folder


@dataclass(frozen=True)
class Side:
    """A way to send a folder: its command, and the servers that receive it."""

    label: str
    command: Callable[[str, Path], list[str]]  # of a repository and a folder of files
    environment: dict[str, str]
    log: Path  # of nginx
    servers: dict[str, Server]

    def start(self, repo_id: str, source: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(repo_id, source),
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, repo_id: str, source: Path) -> str:
        """Run the client to its end; return the last lines of its errors, or nothing."""
        process = self.start(repo_id, source)
        try:
            _, errors = process.communicate()
        finally:
            process.kill()  # if the benchmark is stopped
        return (errors.strip() or "no errors")[-500:] if process.returncode else ""

    def cpu(self) -> float:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        running = sum(server.cpu() for server in self.servers.values())
        return ended.ru_utime + ended.ru_stime + running

    def received(self) -> list[int]:
        """Bytes of each request that nginx has received so far."""
        return [int(line) for line in self.log.read_text().splitlines()]


class Upload(NamedTuple):
    """One upload: wall and CPU seconds, requests, bytes sent, peak memory in bytes by server.

    `verified` is the seconds until the portal has verified all files, after the client's end.
    """

    seconds: float
    cpu: float
    requests: int
    sent: int
    peaks: dict[str, int]
    verified: float


def main(case: Case, rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-upload-") as name, ExitStack() as stack:
        folder = Path(name)
        found = sides(folder, stack)
        for side in found:  # to warm up
            upload(side, "bench/first", Case(2, MIB).write(folder / "source"))
        uploads: dict[str, list[Upload]] = {side.label: [] for side in found}
        for number in range(rounds):
            for side in found:
                source = case.write(folder / "source")
                uploads[side.label].append(upload(side, f"bench/{side.label}{number}", source))
            shutil.rmtree(folder / f"bench-cp{number}")
        compare(case, uploads)
        for side in found:
            if side.servers:
                whole = statistics.median(one.sent for one in uploads[side.label])
                interrupt(side, case, case.write(folder / "source"), int(whole))
        install.close()


# -- the sides ----------------------------------------------------------------------------


def sides(folder: Path, stack: ExitStack) -> list[Side]:
    """Start the portal with its worker, and giftless if it can be installed."""
    entries, backs = (
        {"portal": servers.free_port(), "giftless": servers.free_port()} for _ in range(2)
    )
    endpoints = {name: f"http://127.0.0.1:{port}" for name, port in entries.items()}
    socket = stack.enter_context(counters.running(folder))["CACHE_URL"]
    install.prepare(
        folder,
        PUBLIC_URL=endpoints["portal"],
        BROKER_URL=socket.replace("unix:", "redis+socket:"),
        CACHE_URL=f"{socket}?db=1",
    )
    command = fronts.counting(folder, entries, backs)
    if command is None:
        raise SystemExit("nginx counts the requests: install nginx first")
    stack.enter_context(servers.running(command, entries["portal"]))
    receiving = portal(backs["portal"], stack)
    client = client_environment(folder, endpoints["portal"])
    log, hf = folder / "portal.log", str(Path(sys.executable).with_name("hf"))

    def by_hf(repo_id: str, source: Path) -> list[str]:
        return [hf, "upload", repo_id, str(source), "."]

    def by_lfs_functions(repo_id: str, source: Path) -> list[str]:
        return [sys.executable, "-c", giftless.CLIENT, repo_id, str(source)]

    def by_cp(repo_id: str, source: Path) -> list[str]:
        return ["cp", "-r", str(source), str(folder / repo_id.replace("/", "-"))]

    found = [
        Side("lfs", by_hf, client | {"HF_HUB_DISABLE_XET": "1"}, log, receiving),
        Side("xet", by_hf, client | {"HF_HUB_DISABLE_XET": "0"}, log, receiving),
    ]
    program = giftless.program()
    if isinstance(program, str):
        report.not_measured("giftless", program)
    else:
        base = giftless.server(program, folder / "giftless", backs["giftless"])
        only = {"giftless": stack.enter_context(base)}
        environment = client | {"HF_ENDPOINT": endpoints["giftless"]}
        log_of_base = folder / "giftless.log"
        found.append(Side("giftless", by_lfs_functions, environment, log_of_base, only))
    return [*found, Side("cp", by_cp, client, log, {})]


def client_environment(folder: Path, endpoint: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HF_HOME": str(folder / "hf-home"),
        "HF_ENDPOINT": endpoint,
        "HF_TOKEN": token(),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }


def portal(port: int, stack: ExitStack) -> dict[str, Server]:
    from portal import processes

    web = stack.enter_context(servers.running(processes.web(f"127.0.0.1:{port}"), port))
    # The worker has no port; the web server's is already open.
    worker = stack.enter_context(servers.running(processes.worker(), port))
    return {"web": web, "worker": worker}


def token() -> str:
    """A token of scope `write` of a release owner with an open tier."""
    from accounts.roles.permissions import Role
    from accounts.tiers.access_modes import AccessMode
    from tests.support import factories

    factories.tier("bench", AccessMode.OPEN)
    return factories.token(factories.staff("bench", Role.RELEASE_OWNER), "write")


# -- measuring ----------------------------------------------------------------------------


def upload(side: Side, repo_id: str, source: Path) -> Upload:
    for server in side.servers.values():
        server.reset_peak_memory()
    before, cpu, started = len(side.received()), side.cpu(), time.monotonic()
    error = side.run(repo_id, source)
    seconds, used = time.monotonic() - started, side.cpu() - cpu
    if error:
        raise SystemExit(f"{side.label}: {error}")
    verified = wait_for_verification() if "worker" in side.servers else 0
    received = side.received()[before:]
    peaks = {name: server.peak_memory() for name, server in side.servers.items()}
    return Upload(seconds, used, len(received), sum(received), peaks, verified)


def wait_for_verification() -> float:
    """Wait until the worker has verified every blob; return the seconds."""
    from weights.storage.models import Blob

    started = time.monotonic()
    while Blob.objects.unverified().exists():
        if time.monotonic() - started > 1800:
            raise SystemExit("the worker has not verified the files within half an hour")
        time.sleep(0.2)
    return time.monotonic() - started


def compare(case: Case, uploads: dict[str, list[Upload]]) -> None:
    rounds = {
        label: [Round(case.total / 1e6 / one.seconds, one.cpu / case.total * 1e9) for one in rows]
        for label, rows in uploads.items()
    }
    for label in ("lfs", "xet"):
        for base in [name for name in rounds if name not in ("lfs", "xet")]:
            report.line(
                f"hf upload, {case.files} files of {case.size / 1e6:g} MB, {label}",
                "MB/s",
                rounds[label],
                base,
                rounds[base],
                cpu_unit="GB",
                peak=max(max(one.peaks.values()) for one in uploads[label]),
            )
    for label, rows in uploads.items():
        peaks = "".join(
            f"; peak of {name} {max(one.peaks[name] for one in rows) / MIB:.0f} MiB"
            for name in rows[0].peaks
        )
        verified = statistics.median(one.verified for one in rows)
        later = f", verified {verified:.2f} s later" if "worker" in rows[0].peaks else ""
        print(
            f"  {label}: {statistics.median(one.seconds for one in rows):.2f} s{later};"
            f" {statistics.median(one.requests for one in rows):.0f} requests,"
            f" {statistics.median(one.sent for one in rows) / 1e6:.1f} MB{peaks}",
            flush=True,
        )


def interrupt(side: Side, case: Case, source: Path, whole: int) -> None:
    """Kill an upload half-way, run it again, and print how many more bytes than `whole` it sent."""
    before, repo_id = len(side.received()), f"bench/killed-{side.label}"
    process = side.start(repo_id, source)
    try:
        while sum(side.received()[before:]) < case.total / 2:
            if process.poll() is not None:
                raise SystemExit(f"{side.label} ended before its kill: use more or larger files")
            time.sleep(0.02)
    finally:
        process.kill()
        process.communicate()
    time.sleep(2)  # nginx logs an interrupted request after the server has ended it
    first = sum(side.received()[before:])
    error = side.run(repo_id, source)
    again = sum(side.received()[before:]) - first
    print(
        f"  {side.label}, killed after {first / 1e6:.1f} MB: {again / 1e6:.1f} MB in the next run,"
        f" {(first + again - whole) / 1e6:+.1f} MB more than without a kill"
        + (f"; that run fails: {error}" if error else ""),
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--size", type=int, default=16_000_000, help="bytes of a file, over 128")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    if options.size <= 128 or min(options.files, options.rounds) < 1:
        parser.error("--files and --rounds must be at least 1, --size at least 129")
    # Exit normally on SIGTERM, so that servers stop and folders are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main(Case(options.files, options.size), options.rounds)
