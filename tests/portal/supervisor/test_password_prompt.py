"""Passwords of commands: from a pipe, typed at a terminal, or cancelled with Ctrl-C."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.servers.install import Install
from tests.support.servers.live import ROOT

pytestmark = [pytest.mark.one_database, pytest.mark.xdist_group("quickstart")]

PASSWORD = "six tons of warm gravel"


def create(install: Install, name: str, *typed: str) -> tuple[int, str]:
    """Answer the command's prompts at a terminal; its exit code, and what the terminal shows."""
    process, ours = _begin(install, name)
    shown = ""
    for line in typed:
        shown += _read_until(ours, ": ")
        os.write(ours, f"{line}\n".encode())
    shown += _read_until(ours, "")
    os.close(ours)
    return process.wait(timeout=60), shown


def _begin(install: Install, name: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start the command at a terminal; returns our side of that."""
    ours, theirs = os.openpty()
    command = [sys.executable, "manage.py", "create_account", name, f"{name}@example.org"]
    process = subprocess.Popen(
        [*command, "--password-stdin"],
        env=install.environment,
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_heed_ctrl_c,
    )
    os.close(theirs)
    return process, ours


def _heed_ctrl_c() -> None:
    """Background processes of a shell inherit that Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _read_until(terminal: int, end: str) -> str:
    """What the terminal shows up to a prompt that ends so, or, without an end, up to its end."""
    shown, deadline = "", time.monotonic() + 60
    while time.monotonic() < deadline and not (end and shown.endswith(end)):
        try:
            shown += os.read(terminal, 1000).decode()
        except OSError:  # Linux, once the other side is closed
            break
    return shown


def is_password(install: Install, name: str, password: str) -> bool:
    question = (
        "from accounts.models import User;"
        f"print(User.objects.get(username={name!r}).check_password({password!r}))"
    )
    return install.manage("shell", "-v0", "-c", question).stdout.strip() == "True"


def test_a_terminal_prompts_twice_without_echo(running: Install) -> None:
    code, shown = create(running, "theresa", PASSWORD, PASSWORD)
    assert code == 0, shown
    assert shown.split()[-1] == "theresa"
    assert "Password: " in shown
    assert "Password (again): " in shown
    assert PASSWORD not in shown
    assert is_password(running, "theresa", PASSWORD)


@pytest.mark.parametrize(
    ("typed", "told"),
    [((PASSWORD, "another"), "the two passwords differ"), (("", ""), "the password was empty")],
)
def test_a_slip_makes_no_account(running: Install, typed: tuple[str, str], told: str) -> None:
    code, shown = create(running, "slip", *typed)
    assert code == 1
    assert f"{told}; run the command again" in shown
    assert running.query("SELECT 1 FROM accounts_user WHERE username = 'slip'") == []


def test_ctrl_c_at_a_prompt_ends_it_in_one_line(running: Install) -> None:
    process, terminal = _begin(running, "stopped")
    _read_until(terminal, ": ")
    process.send_signal(signal.SIGINT)
    shown = _read_until(terminal, "")
    os.close(terminal)
    assert process.wait(timeout=60) == 130
    assert shown.split() == ["stopped"]


def test_changepassword_without_a_terminal_is_refused_in_one_line(running: Install) -> None:
    assert running.manage("create_account", "gerda", "gerda@example.org").returncode == 0
    ended = subprocess.run(
        [sys.executable, "manage.py", "changepassword", "gerda"],
        env=running.environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        start_new_session=True,  # without the terminal of the suite
    )
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
    assert "there is no terminal to type a password at; run the command in one" in ended.stderr


def test_a_pipe_is_read_without_a_prompt(running: Install) -> None:
    command = [sys.executable, "manage.py", "create_account", "pip", "pip@example.org"]
    ended = subprocess.run(
        [*command, "--password-stdin"],
        env=running.environment,
        cwd=ROOT,
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "pip\n", "")
    assert is_password(running, "pip", PASSWORD)
