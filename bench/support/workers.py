"""Worker processes that run jobs on request, one after another.

`worker` starts one; run as a script, this file is the worker itself.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


class Done(NamedTuple):
    """The cost of a job: wall and CPU seconds, and peak memory in bytes above the start."""

    wall: float
    cpu: float
    memory: int


class Worker:
    """A running worker process. `check` runs a job and waits for it."""

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
            raise SystemExit("a worker ended unexpectedly")
        return answer


@contextmanager
def worker(kind: str = "check", *arguments: str, **environment: str) -> Iterator[Worker]:
    process = subprocess.Popen(
        [sys.executable, __file__, kind, *arguments],
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


def together(jobs: list[tuple[Worker, list[int]]]) -> Done:
    """Run jobs on several workers at once; return wall time, total CPU time, largest memory."""
    began = time.perf_counter()
    for one, blobs in jobs:
        one.begin(blobs)
    done = [one.end() for one, _ in jobs]
    wall = time.perf_counter() - began
    return Done(wall, sum(one.cpu for one in done), max(one.memory for one in done))


class Signed(NamedTuple):
    """A folder, its signature by `model_signing`, and the key that verifies it."""

    source: Path
    signature: Path
    public: Path

    @property
    def arguments(self) -> list[str]:
        return [str(self.source), str(self.signature), str(self.public)]

    @property
    def command(self) -> list[str]:
        """The command that verifies the folder."""
        program = str(Path(sys.executable).with_name("model_signing"))
        named = ["--signature", str(self.signature), "--public_key", str(self.public)]
        return [program, "verify", "key", *named, str(self.source)]


def sign(source: Path, folder: Path) -> Signed:
    import model_signing
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
    config = model_signing.signing.Config().use_elliptic_key_signer(private_key=private)
    config.sign(source, signature)
    return Signed(source, signature, public)


# -- in the worker's process --------------------------------------------------------------------


def serve(kind: str, arguments: list[str]) -> None:
    """Run a job for each line of stdin, and print its cost."""
    act = SIDES[kind](arguments)
    start = memory("VmRSS")
    print("ready", flush=True)
    for line in sys.stdin:
        blobs = [int(word) for word in line.split()]
        cpu, began = time.process_time(), time.perf_counter()
        act(blobs)
        wall = time.perf_counter() - began
        print(wall, time.process_time() - cpu, memory("VmHWM") - start, flush=True)


def checks(arguments: list[str]) -> Callable[[list[int]], None]:
    setup()
    from django.utils import timezone

    from weights.integrity import verification
    from weights.storage import blob_storage
    from weights.storage.models import Blob

    blob_storage()
    Blob.objects.exists()

    def act(blobs: list[int]) -> None:
        for pk in blobs:
            Blob.objects.filter(pk=pk).update(check_due_at=timezone.now())
            verification.verify(pk)
            if Blob.objects.get(pk=pk).check_due_at is not None:
                raise SystemExit("a check had no result")

    return act


def gets(arguments: list[str]) -> Callable[[list[int]], None]:
    setup()
    from weights.storage import blob_storage
    from weights.storage.models import Blob
    from weights.storage.read_ahead import BUFFER

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


def memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(one for one in lines if one.startswith(name)).split()[1]) * 1024


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2:])
