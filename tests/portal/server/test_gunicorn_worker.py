"""Slow and silent clients occupy the built-in server only briefly, and do not block others."""

import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from portal import processes
from tests.support.servers import proc, services
from tests.support.servers.live import ROOT

pytestmark = [pytest.mark.one_database, pytest.mark.processes]

#: The portal's own web server, in a hurry, around an application of three answers.
LAUNCHER = """
import gc
import sys
import time
from gunicorn.app.wsgiapp import run
from portal.server import gunicorn_config, gunicorn_worker

del gunicorn_config.post_worker_init  # it needs the portal's models
gunicorn_worker.HEAD_SECONDS = gunicorn_worker.BODY_SECONDS = 1
gunicorn_worker.STORE_SECONDS, gunicorn_worker.LEAST_RATE = 1, 1_000_000
gunicorn_worker.STALLED_SECONDS = 2  # a client that sleeps half a second may oversleep
path = sys.argv.pop()

def application(environ, start_response):
    if environ["PATH_INFO"] == "/collector":
        start_response("200 OK", [])
        return [b"%d %d" % (gc.isenabled(), gc.get_freeze_count())]
    if environ["PATH_INFO"] == "/slow":
        time.sleep(4)
    if environ["REQUEST_METHOD"] in {"POST", "PUT"}:
        environ["wsgi.input"].read()
    large = environ["PATH_INFO"] == "/large"
    start_response("200 OK", [("Content-Length", "30000000" if large else "2")])
    return environ["wsgi.file_wrapper"](open(path, "rb")) if large else [b"ok"]

sys.modules["answers"] = sys.modules["__main__"]
sys.argv[0] = "gunicorn"
run()
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("web") / "large"
    with path.open("wb") as stream:
        stream.truncate(30_000_000)
    return path


@pytest.fixture(scope="module")
def server(large: Path) -> Iterator[tuple[str, int]]:
    """The address of the server; it has only one process, which answers every request."""
    with _started(large) as (_, where):
        yield where


@contextmanager
def _started(large: Path) -> Iterator[tuple[services.Process, tuple[str, int]]]:
    """A server of its own, and its address."""
    where = ("127.0.0.1", services.free_port())
    python, _, _, _, *options = processes.web(f"{where[0]}:{where[1]}")
    options[options.index("--workers") + 1] = "1"
    command = [python, "-c", LAUNCHER, "answers:application", *options, str(large)]
    process = services.start(command, large.with_name("log"), {**os.environ}, ROOT)
    try:
        services.wait_until(lambda: _answers(where), "the web server")
        yield process, where
    finally:
        services.stop(process)


def _answers(where: tuple[str, int]) -> bool:
    try:
        with urlopen(f"http://{where[0]}:{where[1]}/", timeout=60) as answer:
            return bool(answer.read() == b"ok")
    except OSError:
        return False


def _seconds_of_an_answer(where: tuple[str, int]) -> float:
    began = time.monotonic()
    assert _answers(where)
    return time.monotonic() - began


def _ask(where: tuple[str, int], text: str, *, room: int | None = None) -> socket.socket:
    """Send `text` without reading the response; the receive buffer has `room` bytes."""
    client = socket.socket()
    if room is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    client.settimeout(20)
    client.connect(where)
    client.sendall(text.encode())
    return client


def test_a_client_that_disconnects_late_blocks_no_other(server: tuple[str, int]) -> None:
    with ExitStack() as late:
        for _ in range(5):
            request = "GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
            late.enter_context(_ask(server, request))
        time.sleep(0.2)
        assert _seconds_of_an_answer(server) < 5, "the plain worker takes two for each"


@pytest.mark.requirement("UP-8")
def test_an_upload_that_only_trickles_is_given_up(server: tuple[str, int]) -> None:
    head = "PUT / HTTP/1.1\r\nHost: here\r\nContent-Length: 5000\r\n\r\n"
    with _ask(server, head) as client:
        for _ in range(25):  # a byte now and then is no progress
            time.sleep(0.2)
            try:
                client.sendall(b"r")
            except OSError:
                break
        else:
            pytest.fail("the connection is still open after five seconds")
    assert _answers(server)


@pytest.mark.requirement("WB-10")
def test_a_request_whose_head_never_ends_is_given_up(server: tuple[str, int]) -> None:
    with _ask(server, "GET / HTTP/1.1\r\nHost: he") as client:
        for _ in range(12):  # a byte now and then is no progress
            time.sleep(0.2)
            try:
                client.sendall(b"r")
            except OSError:
                break
        assert _all_of(client) == b""


def test_objects_loaded_at_the_start_are_frozen_for_the_garbage_collector(
    server: tuple[str, int],
) -> None:
    with urlopen(f"http://{server[0]}:{server[1]}/collector", timeout=60) as answer:
        enabled, frozen = map(int, answer.read().split())
    assert enabled
    assert frozen > 10_000


def test_a_request_that_names_no_host_is_400(server: tuple[str, int]) -> None:
    with _ask(server, "GET / HTTP/1.1\r\n\r\n") as client:
        assert _all_of(client).startswith(b"HTTP/1.1 400 ")


@pytest.mark.requirement("WB-10")
def test_a_body_that_never_arrives_times_out(server: tuple[str, int]) -> None:
    began = time.monotonic()
    with _ask(server, "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nhalf") as client:
        assert not _all_of(client).startswith(b"HTTP/1.1 200")
    assert time.monotonic() - began < 30, "the portal itself waits a minute"


def test_a_client_whose_body_is_refused_unread_still_gets_the_answer(
    server: tuple[str, int],
) -> None:
    length = 20 * 2**20
    head = f"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection(server, timeout=60) as client:
        client.sendall(head.encode() + bytes(length))
        answer = _all_of(client)
        assert answer.endswith(b"\r\n\r\nok")
        assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.requirement("WB-10")
@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the kernel cannot")
def test_a_client_that_takes_nothing_is_cut_off_and_the_file_closed(
    server: tuple[str, int], large: Path
) -> None:
    with _ask(server, "GET /large HTTP/1.1\r\nHost: here\r\n\r\n", room=4096) as client:
        services.wait_until(lambda: _readers_of(large) == 1, "the download", pause=0.2)
        services.wait_until(lambda: _readers_of(large) == 0, "its end", pause=0.2)
        assert len(_all_of(client)) < large.stat().st_size, "it was cut off and not finished"


@pytest.mark.slow
def test_a_client_that_takes_its_time_gets_everything(server: tuple[str, int]) -> None:
    with _ask(server, "GET /large HTTP/1.1\r\nHost: here\r\n\r\n", room=65536) as client:
        taken = 0
        for _ in range(6):
            time.sleep(0.5)
            taken += len(client.recv(2_000_000))
        taken += len(_all_of(client, until=30_000_000 - taken))
    assert taken >= 30_000_000


def _all_of(client: socket.socket, until: int | None = None) -> bytes:
    """The bytes that arrive before the other side disconnects, up to a limit."""
    content = bytearray()
    try:
        while (until is None or len(content) < until) and (block := client.recv(1_000_000)):
            content += block
    except ConnectionError:
        pass
    return bytes(content)


def _readers_of(path: Path) -> int:
    """How many open descriptors of other processes lead to the file."""
    found = 0
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            found += entry.readlink() == path
        except OSError:
            continue
    return found


def test_a_server_that_stops_ends_its_requests_and_refuses_new_connections(large: Path) -> None:
    """Otherwise nginx would wait for it in vain instead of asking another server."""
    with _started(large) as (process, where), ExitStack() as asked:
        slow = asked.enter_context(_ask(where, "GET /slow HTTP/1.1\r\nHost: here\r\n\r\n"))
        time.sleep(0.5)
        (worker,) = proc.children(process.pid)
        os.kill(worker, signal.SIGSTOP)
        request = "GET / HTTP/1.1\r\nHost: here\r\n\r\n"
        waiting = [asked.enter_context(_ask(where, request)) for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        os.kill(worker, signal.SIGCONT)
        services.wait_until(lambda: _refuses(where), "a refused connection", seconds=20)
        assert not select.select([slow], [], [], 0)[0], "the slow request is over already"
        for client in (slow, *waiting):
            assert _all_of(client).endswith(b"ok")
        assert process.wait(20) == 0


def _refuses(where: tuple[str, int]) -> bool:
    try:
        socket.create_connection(where, timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False
