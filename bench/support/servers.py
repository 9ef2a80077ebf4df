"""Start a benchmark's servers, and read their CPU time and memory."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A process and its children, listening on a port of the loopback interface."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def cpu(self) -> float:
        """CPU seconds of all its processes."""
        return sum(_cpu_of(pid) for pid in self._family())

    def peak_memory(self) -> int:
        """Peak memory in bytes of its largest process."""
        return max(_peak_of(pid) for pid in self._family())

    def reset_peak_memory(self) -> None:
        for pid in self._family():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def _family(self) -> list[int]:
        top = self.process.pid
        children = Path(f"/proc/{top}/task/{top}/children").read_text().split()
        return [top, *(int(pid) for pid in children)]


@contextmanager
def running(
    command: list[str],
    port: int,
    *,
    log: BinaryIO | int = subprocess.DEVNULL,
    within: Path | None = None,
    **environment: str,
) -> Iterator[Server]:
    """Run `command` until the block ends; yield once it listens on `port`.

    Its output goes to `log`; `within` is the working folder.
    """
    process = subprocess.Popen(
        command,
        env=os.environ | environment,
        cwd=within,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=None if log == subprocess.DEVNULL else log,
        start_new_session=True,
    )
    try:
        _wait_for(process, port)
        yield Server(process, port)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def nginx_program() -> str | None:
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


def nginx(
    folder: Path, port: int, locations: Mapping[str, Path], more: str = ""
) -> list[str] | None:
    """The command of an nginx that serves folders; None if nginx is not installed.

    `more` is further configuration for its server block.
    """
    program = nginx_program()
    if program is None:
        return None
    blocks = "".join(
        f"location {address} {{ alias {path}/; etag on; }}\n" for address, path in locations.items()
    )
    # The same settings on both sides: a send call writes as much as the socket accepts.
    (folder / "nginx.conf").write_text(
        f"""
daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log stderr warn;
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on; sendfile_max_chunk 0; tcp_nopush off;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; {blocks} {more} }}
}}
"""
    )
    return [program, "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing answers on port {port}")


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak_of(pid: int) -> int:
    """Peak memory in bytes; 0 for a child that has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
