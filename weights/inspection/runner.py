"""Inspect a file in a child process with bounds; whatever the child does, there is a verdict."""

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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weights.inspection import child
from weights.inspection.formats import safetensors_file
from weights.inspection.formats.source import Source
from weights.inspection.formats.verdict import Verdict
from weights.inspection.kinds import SAFETENSORS, is_parsed
from weights.inspection.kinds import inspect as inspect_here

SECONDS = 60.0
#: Bytes of one file that a child may ask for, all its questions together.
ASKED_MOST = 256 * 1024 * 1024
_ANSWER_MOST = 1024 * 1024
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Job:
    """A function `module:name` of (source, **arguments) that answers with plain values."""

    function: str
    arguments: dict[str, Any] = field(default_factory=dict)
    #: Bytes of address space on top of the bound, for a library that maps the file.
    mapped: int = 0


class Broken(Exception):
    """The child came to no result; the sentence says why."""


def inspect(source: Source, family: str, *, extra: list[str]) -> Verdict:
    """What a file is, by a parser in a child process where its family has one.

    A child that crashes, is too slow or wants too much refuses the file. What reading the
    source raises goes to the caller.
    """
    if not is_parsed(family):
        return inspect_here(source, family, frozenset())
    arguments = {"family": family, "extra": extra}
    mapped = source.size + safetensors_file.HEADER_MOST if family == SAFETENSORS else 0
    job = Job("weights.inspection.job:inspect", arguments, mapped)
    try:
        found = run(job, source)
        found.pop("kernel")
        return Verdict(**found)
    except (Broken, TypeError, KeyError) as broken:
        why = str(broken) if isinstance(broken, Broken) else "the inspector's answer is damaged"
        return Verdict(safetensors_file.KIND if mapped else "PyTorch or pickle", "refused", why)


def run(job: Job, source: Source, seconds: float = SECONDS) -> dict[str, Any]:
    """What the job answered within its time; raises Broken, and what the source raises."""
    nursery = _nursery()
    try:
        return _Talk(nursery, source, seconds).result(job)
    except BaseException:
        nursery.end()  # with the child, which may still run
        raise


# -- the process that forks ---------------------------------------------------------------


class Nursery:
    """One `child.py`, for one thread; it ends with its parent."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", str(Path(child.__file__))),
                    *(str(theirs.fileno()), str(_ROOT), _libraries()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={"OPENBLAS_NUM_THREADS": "1"},  # a thread would not survive the fork
                cwd="/",
                start_new_session=True,
            )

    @property
    def is_alive(self) -> bool:
        return self.owner == os.getpid() and self._process.poll() is None

    def end(self) -> None:
        """Kill it and what it forked."""
        self.control.close()
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    __del__ = end


_of_thread = threading.local()


def _nursery() -> Nursery:
    found: Nursery | None = getattr(_of_thread, "nursery", None)
    if found is None or not found.is_alive:
        found = _of_thread.nursery = Nursery()
    return found


def _libraries() -> str:
    """The folder from which safetensors is imported."""
    found = importlib.util.find_spec("safetensors")
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).parents[1])


# -- one file -----------------------------------------------------------------------------


class _Talk:
    """A job and the answers to its questions; the clock stands while the store is read."""

    def __init__(self, nursery: Nursery, source: Source, seconds: float) -> None:
        self._control = nursery.control
        self._source = source
        self._seconds = self._left = seconds
        self._asked = 0

    def result(self, job: Job) -> dict[str, Any]:
        theirs_in, self._answers = os.pipe()
        self._questions, theirs_out = os.pipe()
        try:
            try:
                self._send(job, [theirs_in, theirs_out])
            finally:
                os.close(theirs_in)
                os.close(theirs_out)
            os.set_blocking(self._answers, False)
            return self._converse()
        finally:
            os.close(self._answers)
            os.close(self._questions)

    def _send(self, job: Job, pipes: list[int]) -> None:
        message = {"function": job.function, "arguments": job.arguments, "mapped": job.mapped}
        told = json.dumps(message | {"size": self._source.size}).encode()
        assert len(told) <= child.JOB_MOST
        socket.send_fds(self._control, [told], pipes)

    def _converse(self) -> dict[str, Any]:
        while (word := self._take(1)) == child.READ:
            start, length = child.QUESTION.unpack(self._take(child.QUESTION.size))
            self._answer(start, length)
        found = self._finished() if word == child.DONE else {}
        status = self._status()
        if status or not found:
            raise Broken(_ended(status))
        if found.get("memory"):
            raise Broken("looking into it takes more than 1 GiB of memory")
        return found

    def _answer(self, start: int, length: int) -> None:
        self._asked += length
        if self._asked > ASKED_MOST or start + length > self._source.size:
            raise Broken("looking into it would take reading too much of it")
        content = self._source.read(start, length)
        left = memoryview(child.LENGTH.pack(len(content)) + content)
        while left:
            self._wait([], [self._answers])
            try:
                left = left[os.write(self._answers, left[:65536]) :]
            except BrokenPipeError:
                return  # its end comes up with the next question

    def _finished(self) -> dict[str, Any]:
        (length,) = child.LENGTH.unpack(self._take(child.LENGTH.size))
        if length > _ANSWER_MOST:
            raise Broken("the inspector's answer is too long")
        try:
            found = json.loads(self._take(length))
        except ValueError as error:
            raise Broken("the inspector's answer is damaged") from error
        return found if isinstance(found, dict) else {}

    def _take(self, length: int) -> bytes:
        """Bytes of the child; at its end what there is, padded so that it fits no question."""
        found = bytearray()
        while len(found) < length:
            self._wait([self._questions], [])
            part = os.read(self._questions, length - len(found))
            if not part:
                raise Broken(_ended(self._status()))
            found += part
        return bytes(found)

    def _status(self) -> int:
        """How the child ended, by its parent."""
        self._wait([self._control.fileno()], [])
        told = self._control.recv(4)
        if len(told) < 4:
            raise Broken("the inspector ended by itself")
        return int(struct.unpack("<i", told)[0])

    def _wait(self, reads: list[int], writes: list[int]) -> None:
        """Until the child has something to say or takes something; raises Broken at its time."""
        began = time.monotonic()
        ready = select.select(reads, writes, [], max(0.0, self._left))
        self._left -= time.monotonic() - began
        if not any(ready):
            raise Broken(f"looking into it took longer than {self._seconds:g} seconds")


def _ended(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return "looking into it took too much computing"
        return f"the inspector crashed on it ({signal.Signals(number).name})"
    return "the inspector failed on it"
