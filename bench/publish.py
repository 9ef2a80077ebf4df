"""Measure publishing against `cp` followed by `sha256sum` of the same files.

Run from the project's folder: `.venv/bin/python bench/publish.py`. It writes a gigabyte of random
shards, runs both sides in turn for five rounds, and prints one line per base with the median of
the time ratios. A publish ends once its bytes are on disk (fsync), like the second base; the
first base leaves them in the page cache. A publish includes the start of the interpreter.
"""

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from support.usage import show_help

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5
SHARDS = 8
SHARD_BYTES = 128 * 1024 * 1024


class Pass(NamedTuple):
    """One run: seconds of wall clock and CPU, and peak memory in bytes."""

    wall: float
    cpu: float
    peak: int


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-publish-") as name:
        folder = Path(name)
        source = make_shards(folder / "source")
        environment = os.environ | {
            "DATA_DIR": str(folder / "install"),
            "BROKER_URL": "memory://",
            "LOG_LEVEL": "ERROR",
        }
        prepare(environment)
        rounds: dict[str, list[Pass]] = {"cp + sha256sum": [], "cp + sync + sha256sum": []}
        ours = []
        for number in range(ROUNDS):
            for base, passes in rounds.items():
                passes.append(copy_and_hash(source, folder / "copy", durable="sync" in base))
            ours.append(publish(source, folder / "install", environment, number))
        for base, passes in rounds.items():
            report(base, ours, passes)


def make_shards(folder: Path) -> Path:
    folder.mkdir()
    for number in range(SHARDS):
        block = random.Random(number).randbytes(1 << 20)
        with (folder / f"checkpoint_last-model_part-0-shard{number}.pt").open("wb") as stream:
            for index in range(SHARD_BYTES >> 20):
                stream.write(index.to_bytes(8, "big") + block[8:])
    return folder


def prepare(environment: dict[str, str]) -> None:
    """Create an empty install with the tier `open`."""
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "--verbosity", "0"], cwd=ROOT, env=environment, check=True)
    code = (
        "from accounts.models import Licence, Tier;"
        "terms, _ = Licence.objects.get_or_create(slug='bench', defaults={'title': 'Bench'});"
        "Tier.objects.get_or_create(slug='open', defaults={'name': 'Open', 'mode': 'open',"
        " 'licence': terms})"
    )
    subprocess.run(
        [*manage, "shell", "--verbosity", "0", "-c", code], cwd=ROOT, env=environment, check=True
    )


def copy_and_hash(source: Path, target: Path, *, durable: bool) -> Pass:
    shutil.rmtree(target, ignore_errors=True)
    files = " ".join(f"'{path}'" for path in sorted(source.iterdir()))
    flush = f"sync '{target}'/* &&" if durable else ""
    return timed(["sh", "-c", f"cp -r '{source}' '{target}' && {flush} sha256sum {files}"])


def publish(source: Path, install: Path, environment: dict[str, str], number: int) -> Pass:
    """Publish into an empty store under a new name, so that nothing is reused."""
    # Only emptied, because intake refuses a missing store.
    for blobs in (install / "blobs").glob("[0-9a-f]*"):
        shutil.rmtree(blobs)
    code = (
        "from pathlib import Path; from weights.publishing.intake import publish;"
        f"publish(Path({str(source)!r}), 'bench/r{number}', tier='open')"
    )
    return timed([sys.executable, "manage.py", "shell", "-c", code], environment)


def timed(command: list[str], environment: dict[str, str] | None = None) -> Pass:
    started = time.monotonic()
    running = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"{command[0]} failed with {running.returncode}")
    wall = time.monotonic() - started
    return Pass(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def report(label: str, ours: list[Pass], base: list[Pass]) -> None:
    size = SHARDS * SHARD_BYTES
    ratios = [their.wall / our.wall for our, their in zip(ours, base, strict=True)]
    rate = size / 1e6 / statistics.median(one.wall for one in ours)
    base_rate = size / 1e6 / statistics.median(one.wall for one in base)
    print(
        f"publish 8 x 128 MiB: {rate:.0f} MB/s; {label}: {base_rate:.0f} MB/s;"
        f" ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f});"
        f" {statistics.median(one.cpu for one in ours) / size * 1e9:.2f} CPU s/GB;"
        f" peak {max(one.peak for one in ours) / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    show_help(__doc__)
    main()
