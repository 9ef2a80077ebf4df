"""The fork server: forks one sandboxed child per file, which can access only that file.

`runner.py` starts it as a separate program without the portal's environment, and sends each job
with two pipes. The child requests parts of the file on one pipe, reads them from the other and
sends its result on the first. No untrusted bytes reach the fork server itself.
"""

import gc
import importlib
import json
import os
import socket
import struct
import sys
from typing import Any

#: A read request (start, length), and the length that precedes each reply and the result.
READ_REQUEST, LENGTH = struct.Struct("<QQ"), struct.Struct("<Q")
READ, DONE = b"R", b"D"
MAX_JOB_BYTES = 65536
_READ_BYTES = 1 << 20


class PipeSource:
    """The file, read by the parent process on request."""

    def __init__(self, size: int, replies: int, requests: int) -> None:
        self.size = size
        self._replies, self._requests = replies, requests

    def read(self, start: int, length: int) -> bytes:
        rest = max(0, min(length, self.size - start))
        parts = []
        while rest:
            part = self._request(start, min(rest, _READ_BYTES))
            start, rest = start + len(part), rest - len(part)
            parts.append(part)
        return b"".join(parts)

    def _request(self, start: int, length: int) -> bytes:
        os.write(self._requests, READ + READ_REQUEST.pack(start, length))
        (reply_length,) = LENGTH.unpack(self._receive(LENGTH.size))
        if reply_length != length:
            os._exit(1)
        return self._receive(length)

    def _receive(self, length: int) -> bytes:
        received = bytearray()
        while len(received) < length:
            part = os.read(self._replies, length - len(received))
            if not part:  # the parent has ended, or cannot read the file
                os._exit(1)
            received += part
        return bytes(received)


def serve(control: socket.socket) -> None:
    """Forks a child per job and sends back its status, until the parent closes the socket."""
    while True:
        message, pipes, _, _ = socket.recv_fds(control, MAX_JOB_BYTES, 2)
        if not message:
            return
        job = json.loads(message)
        importlib.import_module(job["function"].partition(":")[0])  # once, not in each fork
        child = os.fork()
        if child == 0:
            control.close()
            _run(job, *pipes)
            os._exit(0)
        for pipe in pipes:
            os.close(pipe)
        _, status = os.waitpid(child, 0)
        control.sendall(struct.pack("<i", status))


def _run(job: dict[str, Any], replies: int, requests: int) -> None:
    module, _, name = job["function"].partition(":")
    function = getattr(importlib.import_module(module), name)
    source = PipeSource(job["size"], replies, requests)
    sandbox = importlib.import_module("weights.inspection.sandbox")
    kernel = sandbox.enter_sandbox(job["mapped"])
    try:
        result = function(source, **job["arguments"]) | {"kernel": kernel}
    except MemoryError:
        result = {"memory": True}
    payload = json.dumps(result).encode()
    payload = DONE + LENGTH.pack(len(payload)) + payload
    while payload:
        payload = payload[os.write(requests, payload) :]


def main() -> None:
    """`fork_server.py CONTROL ROOT LIBRARIES`: a socket's number and two import paths."""
    sys.path[:0] = [sys.argv[2]]
    sys.path.append(sys.argv[3])
    # Imported here once, instead of in each fork.
    for module in ("inspect_file", "sandbox"):
        importlib.import_module(f"weights.inspection.{module}")
    importlib.import_module("weights.inspection.formats.safetensors_file").library()
    importlib.import_module("numpy")  # safetensors imports it when it opens a file
    gc.freeze()  # a collection in a fork would copy every page it visits
    with socket.socket(fileno=int(sys.argv[1])) as control:
        serve(control)


if __name__ == "__main__":
    main()
