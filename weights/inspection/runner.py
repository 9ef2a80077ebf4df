"""Runs a parser in a sandboxed child process; the file is refused if the child fails."""

import contextlib
import importlib.util
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weights.inspection import fork_server
from weights.inspection.families import SAFETENSORS
from weights.inspection.formats import safetensors_file
from weights.inspection.formats.source import Source
from weights.inspection.formats.verdict import Verdict
from weights.inspection.inspect_file import presumed_kind

SECONDS = 60.0
#: Bytes of one file that a child may read in total.
MAX_READ_BYTES = 256 * 1024 * 1024
_MAX_RESULT_BYTES = 1024 * 1024
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Job:
    """A function `module:name` of (source, **arguments) that returns a dict of JSON values."""

    function: str
    arguments: dict[str, Any] = field(default_factory=dict)
    #: Additional bytes of address space, for a library that maps the file.
    mapped: int = 0


class Broken(Exception):
    """The child returned no result; the message says why."""


def inspect(source: Source, family: str, *, extra: list[str]) -> Verdict:
    """The verdict on a file, parsed in a child process.

    The file is refused if the child crashes or exceeds its limits on time, memory or reads.
    Exceptions raised by `source` propagate.
    """
    arguments = {"family": family, "extra": extra}
    mapped = source.size + safetensors_file.MAX_HEADER_BYTES if family == SAFETENSORS else 0
    job = Job("weights.inspection.inspect_file:inspect_as_json", arguments, mapped)
    try:
        result = run(job, source)
        result.pop("kernel")
        return Verdict(**result)
    except (Broken, TypeError, KeyError) as broken:
        is_broken = isinstance(broken, Broken)
        reason = str(broken) if is_broken else "the inspector returned an invalid result"
        return Verdict(presumed_kind(family), "refused", reason)


def run(job: Job, source: Source, seconds: float = SECONDS) -> dict[str, Any]:
    """Returns the job's result. Raises Broken, also on timeout, and the exceptions of `source`."""
    server = _fork_server()
    try:
        return _Exchange(server, source, seconds).result(job)
    except BaseException:
        server.stop()  # this also kills the child, which may still be running
        raise


#: Requests run jobs in this thread, so that each web server process has one fork server.
page_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="jobs")


# -- the fork server ---------------------------------------------------------------------


class ForkServer:
    """A process of `fork_server.py`, one per thread; it ends with its parent."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.control, remote = socket.socketpair()
        with remote:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", str(Path(fork_server.__file__))),
                    *(str(remote.fileno()), str(_ROOT), _library_folder()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[remote.fileno()],
                env={"OPENBLAS_NUM_THREADS": "1"},  # threads do not survive a fork
                cwd="/",
                start_new_session=True,
            )

    @property
    def is_alive(self) -> bool:
        return self.owner == os.getpid() and self._process.poll() is None

    def stop(self) -> None:
        """Kills the process and the children that it forked."""
        self.control.close()
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    __del__ = stop


_thread_local = threading.local()


def _fork_server() -> ForkServer:
    server: ForkServer | None = getattr(_thread_local, "server", None)
    if server is None or not server.is_alive:
        server = _thread_local.server = ForkServer()
    return server


def _library_folder() -> str:
    """The folder from which safetensors is imported."""
    spec = importlib.util.find_spec("safetensors")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parents[1])


# -- one file -----------------------------------------------------------------------------


class _Exchange:
    """Sends a job and serves the child's reads, which do not count towards its time limit."""

    def __init__(self, server: ForkServer, source: Source, seconds: float) -> None:
        self._control = server.control
        self._source = source
        self._seconds = self._left = seconds
        self._bytes_read = 0

    def result(self, job: Job) -> dict[str, Any]:
        child_in, self._to_child = os.pipe()
        self._from_child, child_out = os.pipe()
        try:
            try:
                self._send(job, [child_in, child_out])
            finally:
                os.close(child_in)
                os.close(child_out)
            os.set_blocking(self._to_child, False)
            return self._serve()
        finally:
            os.close(self._to_child)
            os.close(self._from_child)

    def _send(self, job: Job, pipes: list[int]) -> None:
        message = {"function": job.function, "arguments": job.arguments, "mapped": job.mapped}
        payload = json.dumps(message | {"size": self._source.size}).encode()
        assert len(payload) <= fork_server.MAX_JOB_BYTES
        socket.send_fds(self._control, [payload], pipes)

    def _serve(self) -> dict[str, Any]:
        while (tag := self._receive(1)) == fork_server.READ:
            request = self._receive(fork_server.READ_REQUEST.size)
            self._send_bytes(*fork_server.READ_REQUEST.unpack(request))
        result = self._result() if tag == fork_server.DONE else {}
        status = self._exit_status()
        if status or not result:
            raise Broken(_describe_exit(status))
        if result.get("memory"):
            raise Broken("inspecting it takes more than 1 GiB of memory")
        return result

    def _send_bytes(self, start: int, length: int) -> None:
        self._bytes_read += length
        if self._bytes_read > MAX_READ_BYTES or start + length > self._source.size:
            raise Broken("inspecting it requires reading too much of it")
        content = self._source.read(start, length)
        rest = memoryview(fork_server.LENGTH.pack(len(content)) + content)
        while rest:
            self._wait([], [self._to_child])
            try:
                rest = rest[os.write(self._to_child, rest[:65536]) :]
            except BrokenPipeError:
                return  # the child has ended, which the next read detects

    def _result(self) -> dict[str, Any]:
        (length,) = fork_server.LENGTH.unpack(self._receive(fork_server.LENGTH.size))
        if length > _MAX_RESULT_BYTES:
            raise Broken("the inspector's result is too long")
        try:
            result = json.loads(self._receive(length))
        except ValueError as error:
            raise Broken("the inspector returned an invalid result") from error
        return result if isinstance(result, dict) else {}

    def _receive(self, length: int) -> bytes:
        """Returns exactly `length` bytes from the child; raises Broken if it exits early."""
        received = bytearray()
        while len(received) < length:
            self._wait([self._from_child], [])
            part = os.read(self._from_child, length - len(received))
            if not part:
                raise Broken(_describe_exit(self._exit_status()))
            received += part
        return bytes(received)

    def _exit_status(self) -> int:
        """The child's wait status, which the fork server sends."""
        self._wait([self._control.fileno()], [])
        status = self._control.recv(4)
        if len(status) < 4:
            raise Broken("the inspector exited unexpectedly")
        return int(struct.unpack("<i", status)[0])

    def _wait(self, reads: list[int], writes: list[int]) -> None:
        """Waits until a descriptor is ready; raises Broken when the child's time runs out."""
        began = time.monotonic()
        ready = select.select(reads, writes, [], max(0.0, self._left))
        self._left -= time.monotonic() - began
        if not any(ready):
            raise Broken(f"inspecting it took longer than {self._seconds:g} seconds")


def _describe_exit(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return "inspecting it took too much CPU time"
        return f"the inspector crashed on it ({signal.Signals(number).name})"
    return "the inspector failed on it"
