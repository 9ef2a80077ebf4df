"""How fast are stored bytes checked? A worker's whole check against what one would use instead.

Run from the project's folder: `.venv/bin/python bench/verification.py [MIB]`. It makes MIB
(512 if not given) of random bytes in a temporary folder and runs the sides in turn for five
rounds; each case prints one line with the median of the per-round ratios.

- cached, and cold (the file's pages are dropped before each side): `openssl dgst -sha256`.
- two workers on two files: one worker on both, one after the other.
- from S3: the same GET by the same client, its bytes thrown away. Half the size.
- a folder of eight files, twice the size in all, by two workers: `model_signing`'s own
  verification of the folder, with all the threads it likes.
- what is read again after a kill -9 in the middle of 4 GiB, as the kernel counts it.

A check is `verification.verify`: lease, read, hash, rows and audit event. Workers are processes
of their own that have started up before the clock does; so has `model_signing`.
"""

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.support import install
from bench.support.report import Round, difference, line, not_measured

ROUNDS = 5
MIB = 1024**2
GB = 1e9
FOLDER_FILES = 8
KILLED_BLOB = 4 * 1024**3
KILLED_AT = 7 * KILLED_BLOB // 8


class Done(NamedTuple):
    """What a side took: seconds of wall clock and of CPU, and bytes of memory over its start."""

    wall: float
    cpu: float
    memory: int


Side = Callable[[], Done]


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
        read_again(folder)
        install.close()


# -- cases --------------------------------------------------------------------------------


def hashing(one: "Worker", blob: "Stored", size: int) -> None:
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
        told(f"check, {label}", ours, "openssl dgst -sha256", base, size)


def several(one: "Worker", two: "Worker", blobs: "list[Stored]", size: int) -> None:
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
    told("two workers, a file each, cached", ours, "one worker, both files", base, 2 * size)


def whole_folder(folder: Path, one: "Worker", two: "Worker", size: int) -> None:
    source = folder / "folder"
    source.mkdir()
    each = size // FOLDER_FILES
    for number in range(FOLDER_FILES):
        write(source / f"shard-{number}.bin", 100 + number, each)
    install.publish(source, "bench/folder")
    from weights.models import Blob

    found = Blob.objects.filter(files__revision__checkpoint__name="folder")
    blobs = list(found.order_by("pk").values_list("pk", flat=True))
    try:
        import model_signing  # noqa: F401
    except ImportError:
        not_measured("a folder of eight files, two workers", "model_signing is not installed")
        return
    with signer(source, folder) as theirs:
        ours, base = [], []
        for number in range(ROUNDS + 1):
            for path in source.iterdir():
                warm(path)
            their = theirs.check([])
            our = together([(one, blobs[::2]), (two, blobs[1::2])])
            if number:
                base.append(their)
                ours.append(our)
    told("a folder of eight files, two workers", ours, "model_signing verify", base, size)


def from_s3(folder: Path, running: ExitStack, size: int) -> None:
    from tests import s3

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
    from weights.models import Blob
    from weights.storage.protocol import blob_key

    server.client().upload_file(str(path), s3.BUCKET, f"bench/{blob_key(sha256)}")
    blob = Blob.objects.create(sha256=sha256, size=size)
    ours, base = [], []
    for number in range(ROUNDS + 1):
        their, our = plain.check([blob.pk]), remote.check([blob.pk])
        if number:
            base.append(their)
            ours.append(our)
    told("check, from S3", ours, "the same GET without hashing", base, size)


def read_again(folder: Path) -> None:
    """Kill a worker at seven eighths of a sparse blob, and count what both of them read."""
    from django.db import connections

    from weights import verification
    from weights.models import Blob

    blob = zeros(KILLED_BLOB)
    connections.close_all()
    flag = folder / "there"
    child = os.fork()
    if child == 0:
        verification.verify(blob.pk, pace=stops_at(KILLED_AT, flag))
        os._exit(0)
    while not flag.exists():
        time.sleep(0.05)
    first = kernel_count(child)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    Blob.objects.update(leased_until=None)  # as if its three minutes had passed
    before = kernel_count(os.getpid())
    verification.verify(blob.pk)
    second = kernel_count(os.getpid()) - before
    blob.refresh_from_db()
    assert blob.state == Blob.State.VERIFIED
    again = Round((first + second) / MIB, 0.0)
    difference(
        f"read again after kill -9 at {KILLED_AT >> 20} of {KILLED_BLOB >> 20} MiB",
        "MiB",
        [again],
        [Round(KILLED_BLOB / MIB, 0.0)],
    )


def told(label: str, ours: list[Done], base_label: str, base: list[Done], size: int) -> None:
    def rounds(found: list[Done]) -> list[Round]:
        return [Round(size / 1e6 / one.wall, one.cpu / size * GB) for one in found]

    peak = max(one.memory for one in ours)
    line(label, "MB/s", rounds(ours), base_label, rounds(base), cpu_unit="GB", peak=peak)


# -- sides --------------------------------------------------------------------------------


def openssl(path: Path) -> Done:
    began = time.perf_counter()
    child = subprocess.Popen(["openssl", "dgst", "-sha256", str(path)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit("openssl failed")
    wall = time.perf_counter() - began
    return Done(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


class Worker:
    """A process that has started up and does one check after the other when it is told to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._answer()

    def check(self, blobs: list[int]) -> Done:
        self.begin(blobs)
        return self.end()

    def begin(self, blobs: list[int]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, blobs)) + "\n")
        self._process.stdin.flush()

    def end(self) -> Done:
        wall, cpu, memory = self._answer().split()
        return Done(float(wall), float(cpu), int(memory))

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("a worker ended by itself")
        return answer


@contextmanager
def worker(kind: str = "check", *arguments: str, **environment: str) -> Iterator[Worker]:
    process = subprocess.Popen(
        [sys.executable, __file__, "--side", kind, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    try:
        yield Worker(process)
    finally:
        process.kill()
        process.wait()


def together(asked: list[tuple[Worker, list[int]]]) -> Done:
    """What several took at the same time: the wall clock of all, the CPU of each."""
    began = time.perf_counter()
    for one, blobs in asked:
        one.begin(blobs)
    done = [one.end() for one, _ in asked]
    wall = time.perf_counter() - began
    return Done(wall, sum(one.cpu for one in done), max(one.memory for one in done))


@contextmanager
def signer(source: Path, folder: Path) -> Iterator[Worker]:
    """`model_signing` in a process of its own, with a signature of the folder to verify."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    private, public, signature = (folder / name for name in ("key.pem", "public.pem", "sig"))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    import model_signing

    config = model_signing.signing.Config().use_elliptic_key_signer(private_key=private)
    config.sign(source, signature)
    with worker("model_signing", str(source), str(signature), str(public)) as started:
        yield started


def serve(kind: str, arguments: list[str]) -> None:
    """A worker's own end: do what each line asks for, and answer with what it took."""
    act = SIDES[kind](arguments)
    start = memory("VmRSS")
    print("ready", flush=True)
    for asked in sys.stdin:
        blobs = [int(word) for word in asked.split()]
        cpu, began = time.process_time(), time.perf_counter()
        act(blobs)
        wall = time.perf_counter() - began
        print(wall, time.process_time() - cpu, memory("VmHWM") - start, flush=True)


def checks(arguments: list[str]) -> Callable[[list[int]], None]:
    setup()
    from django.utils import timezone

    from weights import resumable_sha256, verification
    from weights.models import Blob
    from weights.storage import blob_storage

    blob_storage()
    resumable_sha256.layout()
    Blob.objects.exists()

    def act(blobs: list[int]) -> None:
        for pk in blobs:
            Blob.objects.filter(pk=pk).update(check_due_at=timezone.now())
            verification.verify(pk)
            if Blob.objects.get(pk=pk).check_due_at is not None:
                raise SystemExit("a check came to no result")

    return act


def gets(arguments: list[str]) -> Callable[[list[int]], None]:
    setup()
    from weights.models import Blob
    from weights.read_ahead import BUFFER
    from weights.storage import blob_storage

    buffer = memoryview(bytearray(BUFFER))

    def act(blobs: list[int]) -> None:
        for sha256 in Blob.objects.filter(pk__in=blobs).values_list("sha256", flat=True):
            with blob_storage().open(sha256) as stream:
                while stream.readinto(buffer):  # type: ignore[attr-defined]
                    pass

    return act


def signs(arguments: list[str]) -> Callable[[list[int]], None]:
    import model_signing

    source, signature, public = map(Path, arguments)
    config = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public)

    def act(blobs: list[int]) -> None:
        config.verify(source, signature)

    return act


SIDES = {"check": checks, "get": gets, "model_signing": signs}


def setup() -> None:
    import django

    django.setup()


# -- things -------------------------------------------------------------------------------


class Stored(NamedTuple):
    """A blob of the install."""

    pk: int
    path: Path


def stored(folder: Path, number: int, size: int) -> Stored:
    from weights.models import Blob
    from weights.storage import blob_storage

    made = folder / "made"
    sha256 = write(made, number, size)
    with blob_storage().receive():
        pass  # makes the store's folder
    path = blob_storage().local_path(sha256)
    assert path is not None
    path.parent.mkdir(parents=True)
    made.replace(path)
    return Stored(Blob.objects.create(sha256=sha256, size=size).pk, path)


def write(path: Path, number: int, size: int) -> str:
    block = random.Random(number).randbytes(MIB)
    digest = hashlib.sha256()
    with path.open("wb") as stream:
        for index in range(size // MIB):
            piece = index.to_bytes(8, "big") + block[8:]
            digest.update(piece)
            stream.write(piece)
        os.fsync(stream.fileno())
    return digest.hexdigest()


def zeros(size: int) -> "object":
    """A sparse blob."""
    from weights.models import Blob
    from weights.storage import blob_storage

    digest, block = hashlib.sha256(), bytes(MIB)
    for _ in range(size // MIB):
        digest.update(block)
    path = blob_storage().local_path(digest.hexdigest())
    assert path is not None
    path.parent.mkdir(parents=True)
    path.touch()
    os.truncate(path, size)
    return Blob.objects.create(sha256=digest.hexdigest(), size=size)


def warm(path: Path) -> None:
    buffer = bytearray(MIB)
    with path.open("rb", buffering=0) as stream:
        while stream.readinto(buffer):
            pass


def cold(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def stops_at(size: int, flag: Path) -> Callable[[int], None]:
    done = 0

    def pace(count: int) -> None:
        nonlocal done
        done += count
        if done >= size:
            time.sleep(0.5)
            flag.touch()
            time.sleep(600)

    return pace


def kernel_count(process: int) -> int:
    """Bytes that a process has read by any call."""
    lines = Path(f"/proc/{process}/io").read_text().splitlines()
    return int(next(one for one in lines if one.startswith("rchar")).split()[1])


def memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(one for one in lines if one.startswith(name)).split()[1]) * 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        serve(sys.argv[2], sys.argv[3:])
    else:
        main((int(sys.argv[1]) if len(sys.argv) > 1 else 512) * MIB)
