"""Every log line has its time, level and logger, and the request that caused it."""

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request

import pytest

from accounts.users.models import User
from portal import processes
from tests.support.servers import live, proc, services
from tests.support.servers.front import Front, ask
from tests.support.servers.live import ROOT, Portal

pytestmark = [pytest.mark.one_database, pytest.mark.usefixtures("store")]

#: A line of text, such as `2026-11-26T09:00:00.000000Z [warning  ] refused [portal.server]`.
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \[[a-z]+ *\] \S.* \[[\w.]+\]( \w+=\S+)*")


def _entries(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines()]


def _has_line_of(portal: Portal, name: str, logger: str) -> bool:
    return f" [{logger}" in portal.log(name)


def _request_a_reset(front: Front, person: User) -> str:
    """Submit the form as a browser does, with an id of our own choice; returns the answer's id."""
    path = "/accounts/password/reset/"
    cookie = front.get(path)[1]["Set-Cookie"].partition(";")[0]
    form = {"email": person.email, "csrfmiddlewaretoken": cookie.partition("=")[2]}
    headers = {"Cookie": cookie, "X-Request-ID": "chosen-by-a-client"}
    request = Request(front.url + path, urlencode(form).encode(), headers)
    status, answer, _ = ask(request)
    assert status == 302
    return str(answer["X-Request-Id"])


@pytest.mark.requirement("OP-32")
@pytest.mark.needs("nginx")
def test_one_id_leads_from_nginx_to_the_task_that_sends_the_mail(
    applicant: User, start_front: Callable[..., Front]
) -> None:
    front = start_front(
        # Its static files are collected; production's are part of the image.
        DJANGO_SETTINGS_MODULE="portal.settings.embedded",
        EMAIL_URL="smtp://127.0.0.1:1",
        LOG_FORMAT="json",
        LOG_LEVEL="INFO",
    )
    front.portal.start("worker")
    front.portal.wait_for_worker()
    request_id = _request_a_reset(front, applicant)
    assert re.fullmatch("[0-9a-f]{32}", request_id), "nginx chose it"

    def of_nginx() -> list[str]:
        return [line for line in front.log.read_text().splitlines() if line.endswith(request_id)]

    # nginx writes the line after the response.
    services.wait_until(lambda: bool(of_nginx()), "the line of nginx")
    assert [line.split('"')[1] for line in of_nginx()] == ["POST /accounts/password/reset/"]

    def of_tasks() -> list[dict[str, Any]]:
        entries = _entries(front.portal.log("worker"))
        return [entry for entry in entries if entry.get("request_id") == request_id]

    services.wait_until(lambda: bool(of_tasks()), "the line of the task")
    (entry,) = of_tasks()
    assert entry["logger"] == "celery.app.trace"
    assert entry["level"] == "info"
    assert "accounts.deliver_mail" in entry["event"]
    assert entry["task_id"] in entry["event"]
    assert entry["timestamp"].endswith("Z")


def test_lines_of_gunicorn_celery_and_beat_have_the_form_of_ours(
    start_portal: Callable[..., Portal], tmp_path: Path
) -> None:
    portal = start_portal()
    (child,) = proc.children(portal.processes["web"].pid)
    os.kill(child, signal.SIGKILL)
    # No broker answers there, which both report.
    environment = portal.environment | {"BROKER_URL": "redis://127.0.0.1:1/0"}
    commands = {"worker": processes.worker(), "beat": processes.beat(tmp_path / "schedule")}
    running = [
        services.start(command, portal.folder / f"{name}.log", environment, ROOT)
        for name, command in commands.items()
    ]
    loggers = {"web": "gunicorn.error", "worker": "celery.worker", "beat": "celery.beat"}
    try:
        for name, logger in loggers.items():
            wrote = partial(_has_line_of, portal, name, logger)
            services.wait_until(wrote, f"{name}'s line")
    finally:
        for process in running:
            services.stop(process)
    for name in loggers:
        for line in portal.log(name).splitlines():
            assert LINE.fullmatch(line), f"{name}: {line}"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_traceback_keeps_its_lines_and_loses_its_secrets(log_format: str) -> None:
    """Configured as a process does, by a logger that knows nothing of the portal."""
    token = "wb_" + "a" * 46
    script = f"""
import logging, django
django.setup()
try:
    raise ValueError("a\\x1b[2J {token}")
except ValueError:
    logging.getLogger("a.library").exception("refused", extra={{"ignored": 1}})
"""
    environment = live.environment("http://127.0.0.1:1", "file:///dev/null/none")
    files = live.Files.made("")
    process = files.spawn([sys.executable, "-c", script], environment | {"LOG_FORMAT": log_format})
    assert process.wait(120) == 0, files.stderr.read_text()
    output = files.stderr.read_text()
    assert token not in output
    assert "\x1b" not in output
    if log_format == "json":
        (entry,) = _entries(output)
        assert (entry["logger"], entry["level"]) == ("a.library", "error")
        output = entry["exception"]
    else:
        assert LINE.fullmatch(output.splitlines()[0])
    assert output.splitlines()[-1].endswith("ValueError: a\\u001b[2J [secret removed]")
