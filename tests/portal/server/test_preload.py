"""gunicorn listens only after the portal is loaded, and loads it once for all workers."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from portal import processes
from tests.support.servers import proc, services
from tests.support.servers.live import ROOT

pytestmark = [pytest.mark.one_database, pytest.mark.processes]

#: An application that says when its loading begins, and is loaded when the file `go` exists.
SLOW = """
import os, time
from pathlib import Path

folder = Path(__file__).parent
(folder / "loading").write_text(str(os.getpid()))
while not (folder / "go").exists():
    time.sleep(0.05)

def application(environ, start_response):
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""
#: The portal's own web server, without the record of settings that each worker makes.
LAUNCHER = """
import sys
from gunicorn.app.wsgiapp import run
from portal.server import gunicorn_config

del gunicorn_config.post_worker_init
sys.argv[0] = "gunicorn"
run()
"""


def test_a_web_server_that_is_still_loading_refuses_connections(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    port = services.free_port()
    python, _, _, _, *options = processes.web(f"127.0.0.1:{port}", workers=2)
    command = [python, "-c", LAUNCHER, "slow:application", *options]
    variables = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    process = services.start(command, tmp_path / "log", variables, ROOT)
    try:
        services.wait_until((tmp_path / "loading").exists, "the load")
        assert _pid_of_an_answer(port) is None
        (tmp_path / "go").touch()
        services.wait_until(lambda: _pid_of_an_answer(port) is not None, "the first answer")
        assert int((tmp_path / "loading").read_text()) == process.pid, "it was loaded once"
        assert _pid_of_an_answer(port) in proc.children(process.pid)
    finally:
        services.stop(process)


def _pid_of_an_answer(port: int) -> int | None:
    """The process that answers; None if the connection is refused at once."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
            return int(answer.read())
    except URLError as error:
        if not isinstance(error.reason, ConnectionRefusedError):
            raise
        return None


def test_loading_the_portal_starts_no_thread_and_opens_no_connection() -> None:
    """Workers are forked after it, and could not share them."""
    code = (
        "import os, portal.server.gunicorn_config, portal.wsgi;"
        "print(len(os.listdir('/proc/self/task')));"
        "print([name for name in map(os.readlink, os.scandir('/proc/self/fd'))"
        " if name.startswith('socket')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings.embedded"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split("\n")[:2] == ["1", "[]"]
