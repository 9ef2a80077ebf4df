"""Measure a worker's verification of stored bytes against other tools.

Run from the project's folder: `.venv/bin/python bench/verification.py [MIB]`. It writes MIB
(default: 1024) of random bytes and runs both sides in turn for five rounds. Each case prints the
median of the time ratios. A check is compared with:

- `openssl dgst -sha256`, with the file cached, and cold (its pages dropped before each side);
- two files by one worker, against two workers;
- a GET of the same object from S3 without hashing, at half the size;
- `model_signing verify` with its default number of threads, on a folder of eight files of twice
  the size, against two workers; with and without the start of the command.

A check is `verification.verify`: lease, read, hash, rows and audit event. Workers are started
before timing begins.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.support import install
from bench.support.blobs import MIB, Stored, cold, stored, warm, write
from bench.support.report import Round, line, not_measured
from bench.support.usage import show_help
from bench.support.workers import Done, Worker, sign, together, worker

ROUNDS = 5
GB = 1e9
FOLDER_FILES = 8


def main(size: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-verification-") as name, ExitStack() as running:
        folder = Path(name)
        install.prepare(folder)
        first, second = (stored(folder, number, size) for number in range(2))
        one, two = (running.enter_context(worker()) for _ in range(2))
        hashing(one, first, size)
        several(one, two, [first, second], size)
        whole_folder(folder, one, two, 2 * size)
        from_s3(folder, running, size // 2)
        install.close()


# -- cases --------------------------------------------------------------------------------


def hashing(one: Worker, blob: Stored, size: int) -> None:
    for label, prepare in (("cached", warm), ("cold", cold)):
        ours, base = [], []
        for number in range(ROUNDS + 1):
            prepare(blob.path)
            their = openssl(blob.path)
            prepare(blob.path)
            our = one.check([blob.pk])
            if number:
                base.append(their)
                ours.append(our)
        print_case(f"check, {label}", ours, "openssl dgst -sha256", base, size)


def several(one: Worker, two: Worker, blobs: list[Stored], size: int) -> None:
    first, second = (blob.pk for blob in blobs)
    ours, base = [], []
    for number in range(ROUNDS + 1):
        for blob in blobs:
            warm(blob.path)
        alone = one.check([first, second])
        both = together([(one, [first]), (two, [second])])
        if number:
            base.append(alone)
            ours.append(both)
    print_case("two workers, a file each, cached", ours, "one worker, both files", base, 2 * size)


def whole_folder(folder: Path, one: Worker, two: Worker, size: int) -> None:
    source = folder / "folder"
    source.mkdir()
    each = size // FOLDER_FILES
    for number in range(FOLDER_FILES):
        write(source / f"shard-{number}.bin", 100 + number, each)
    install.publish(source, "bench/folder")
    from weights.storage.models import Blob

    found = Blob.objects.filter(files__revision__checkpoint__name="folder")
    blobs = list(found.order_by("pk").values_list("pk", flat=True))
    try:
        import model_signing  # noqa: F401
    except ImportError:
        not_measured("a folder of eight files, two workers", "model_signing is not installed")
        return
    signed = sign(source, folder)
    with worker("model_signing", *signed.arguments) as started:
        ours, commands, base = [], [], []
        for number in range(ROUNDS + 1):
            for path in source.iterdir():
                warm(path)
            command, their = ran(signed.command), started.check([])
            our = together([(one, blobs[::2]), (two, blobs[1::2])])
            if number:
                commands.append(command)
                base.append(their)
                ours.append(our)
    label = "a folder of eight files, two workers"
    print_case(label, ours, "model_signing verify", commands, size)
    print_case(label, ours, "model_signing, started before", base, size)


def from_s3(folder: Path, running: ExitStack, size: int) -> None:
    from tests.support.servers import s3

    if not Path(sys.executable).with_name("weed").exists():
        not_measured("check, from S3", "SeaweedFS is not installed")
        return
    os.environ |= {
        "AWS_ACCESS_KEY_ID": s3.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": s3.SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    server = s3.start(folder / "s3")
    running.callback(server.stop)
    address = f"s3://{s3.BUCKET}/bench"
    environment = {"WEIGHTS_STORAGE": address, "S3_ENDPOINT_URL": server.endpoint}
    remote = running.enter_context(worker(**environment))
    plain = running.enter_context(worker("get", **environment))
    path = folder / "object"
    sha256 = write(path, 7, size)
    from weights.storage.models import Blob
    from weights.storage.protocol import blob_key

    server.client().upload_file(str(path), s3.BUCKET, f"bench/{blob_key(sha256)}")
    blob = Blob.objects.create(sha256=sha256, size=size)
    ours, base = [], []
    for number in range(ROUNDS + 1):
        their, our = plain.check([blob.pk]), remote.check([blob.pk])
        if number:
            base.append(their)
            ours.append(our)
    print_case("check, from S3", ours, "the same GET without hashing", base, size)


def print_case(label: str, ours: list[Done], base_label: str, base: list[Done], size: int) -> None:
    def rounds(found: list[Done]) -> list[Round]:
        return [Round(size / 1e6 / one.wall, one.cpu / size * GB) for one in found]

    peak = max(one.memory for one in ours)
    line(label, "MB/s", rounds(ours), base_label, rounds(base), cpu_unit="GB", peak=peak)


def openssl(path: Path) -> Done:
    return ran(["openssl", "dgst", "-sha256", str(path)])


def ran(command: list[str]) -> Done:
    """Run a command; return its cost from start to exit."""
    began = time.perf_counter()
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(command, stdout=quiet, stderr=quiet)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command[0]} failed")
    wall = time.perf_counter() - began
    return Done(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


if __name__ == "__main__":
    show_help(__doc__)
    main((int(sys.argv[1]) if len(sys.argv) > 1 else 1024) * MIB)
