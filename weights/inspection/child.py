"""The process that inspects: started once, it forks for each file a child that sees only that one.

Run as a program of its own (`runner.py` starts it) without the portal's environment. The parent
process sends a job with two pipes; the fork reads parts of the file by one of them and answers
by the other. Nothing of a stranger reaches the process that forks.
"""

import gc
import importlib
import json
import os
import socket
import struct
import sys
from typing import Any

#: A question of the child: these bytes of the file. Then the answer's length, then the answer.
QUESTION, LENGTH = struct.Struct("<QQ"), struct.Struct("<Q")
READ, DONE = b"R", b"D"
JOB_MOST = 65536
_AT_ONCE = 1 << 20


class PipeSource:
    """The file as the parent process reads it out."""

    def __init__(self, size: int, answers: int, questions: int) -> None:
        self.size = size
        self._answers, self._questions = answers, questions

    def read(self, start: int, length: int) -> bytes:
        left = max(0, min(length, self.size - start))
        parts = []
        while left:
            part = self._ask(start, min(left, _AT_ONCE))
            start, left = start + len(part), left - len(part)
            parts.append(part)
        return b"".join(parts)

    def _ask(self, start: int, length: int) -> bytes:
        os.write(self._questions, READ + QUESTION.pack(start, length))
        (told,) = LENGTH.unpack(self._take(LENGTH.size))
        if told != length:
            os._exit(1)
        return self._take(told)

    def _take(self, length: int) -> bytes:
        found = bytearray()
        while len(found) < length:
            part = os.read(self._answers, length - len(found))
            if not part:  # the parent has gone, or cannot read the file
                os._exit(1)
            found += part
        return bytes(found)


def work(control: socket.socket) -> None:
    """Fork for one job after the other, until the parent process closes its end."""
    while True:
        message, pipes, _, _ = socket.recv_fds(control, JOB_MOST, 2)
        if not message:
            return
        child = os.fork()
        if child == 0:
            control.close()
            _one(json.loads(message), *pipes)
            os._exit(0)
        for pipe in pipes:
            os.close(pipe)
        _, status = os.waitpid(child, 0)
        control.sendall(struct.pack("<i", status))


def _one(job: dict[str, Any], answers: int, questions: int) -> None:
    module, _, name = job["function"].partition(":")
    act = getattr(importlib.import_module(module), name)
    source = PipeSource(job["size"], answers, questions)
    fence = importlib.import_module("weights.inspection.fence")
    kernel = fence.raise_fence(job["mapped"])
    try:
        found = act(source, **job["arguments"]) | {"kernel": kernel}
    except MemoryError:
        found = {"memory": True}
    answer = json.dumps(found).encode()
    answer = DONE + LENGTH.pack(len(answer)) + answer
    while answer:
        answer = answer[os.write(questions, answer) :]


def main() -> None:
    """`child.py CONTROL ROOT LIBRARIES`: a socket's number, and where to import from."""
    sys.path[:0] = [sys.argv[2]]
    sys.path.append(sys.argv[3])
    # Loaded before the first fork, so that no fork has to.
    for module in ("job", "fence"):
        importlib.import_module(f"weights.inspection.{module}")
    importlib.import_module("weights.inspection.formats.safetensors_file").library()
    importlib.import_module("numpy")  # which that library asks for when it opens a file
    gc.freeze()  # a collection in a fork would copy every page it looks at
    with socket.socket(fileno=int(sys.argv[1])) as control:
        work(control)


if __name__ == "__main__":
    main()
