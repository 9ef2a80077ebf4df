"""A forked program behaves like one that is started normally."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import forked, live, services
from tests.support.servers.install import Install
from tests.support.servers.live import ROOT, Portal

pytestmark = [pytest.mark.one_database, pytest.mark.processes, pytest.mark.django_db]

DIFFERENT = {
    "ACCEL_LOCATION": "/elsewhere/",
    "ALLOWED_HOSTS": "127.0.0.1,elsewhere.example",
    "BROKER_URL": "redis://127.0.0.1:5/0",
    "CACHE_URL": "redis://127.0.0.1:5/1",
    "DJANGO_SETTINGS_MODULE": "portal.settings.production",
    "DOWNLOADS_AT_ONCE": "3",
    "DATABASE_WAIT": "30",
    "DECISION_UNDO_SECONDS": "600",
    "PUBLIC_URL": "http://127.0.0.1:2",
    "RATE_LIMITS": "off",
    "S3_ENDPOINT_URL": "http://127.0.0.1:3",
    "S3_PUBLIC_ENDPOINT_URL": "http://127.0.0.1:4",
    "SECRET_KEY": "another-" + services.SECRET_KEY,
    "TRUSTED_PROXIES": "2",
    "SINGLE_OPERATOR": "no",
    "UPLOAD_QUOTA_GB": "1",
    "WEB_THREADS": "7",
    "WEB_WORKERS": "2",
}
PRINT_SETTINGS = """
import re
from django.conf import settings
from django.db import connections
connections.settings  # completes DATABASES with what is not named
for name in filter(str.isupper, dir(settings)):
    value = getattr(settings, name)
    value = sorted(value) if isinstance(value, set) else value
    print(name, re.sub(" at 0x[0-9a-f]+", "", str(value)))
from django.core.cache import caches
from portal.celery import app
print(app.conf.broker_url, app.conf.broker_write_url, caches["default"]._servers)
"""


@pytest.fixture
def portal(tmp_path: Path) -> Portal:
    storage = f"file://{tmp_path}"
    return Portal("", live.environment("http://127.0.0.1:1", storage) | DIFFERENT, tmp_path)


def spawned(portal: Portal | Install, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=portal.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_forked_program_has_every_setting_of_its_own_environment(portal: Portal) -> None:
    by_fork = portal.manage("shell", "-v0", "-c", PRINT_SETTINGS)
    assert forked.can_run([sys.executable], portal.environment)
    assert by_fork.returncode == 0, by_fork.stderr
    assert "elsewhere.example" in by_fork.stdout
    assert by_fork.stdout == spawned(portal, "shell", "-v0", "-c", PRINT_SETTINGS).stdout


def test_a_forked_program_reads_the_keys_of_its_own_install(tmp_path: Path) -> None:
    """Not those of the fork server, nor does it make any before a restore."""
    install = Install(tmp_path / "data", services.free_port(), tmp_path / "log")
    assert forked.can_run([sys.executable], install.environment)
    refused = install.manage("restore", str(tmp_path / "no-backup"))
    assert refused.returncode == 1
    assert not (install.data_dir / "keys.env").exists()
    by_fork = install.manage("shell", "-v0", "-c", PRINT_SETTINGS)
    key = (install.data_dir / "keys.env").read_text().partition("SECRET_KEY=")[2].splitlines()[0]
    assert f"SECRET_KEY {key}\n" in by_fork.stdout
    by_itself = spawned(install, "shell", "-v0", "-c", PRINT_SETTINGS)
    assert (by_fork.stdout, by_fork.stderr) == (by_itself.stdout, by_itself.stderr)


@pytest.mark.parametrize("arguments", [["no_such_command"], ["create_token", "nobody"], ["verify"]])
def test_a_forked_program_ends_as_a_spawned_one(portal: Portal, arguments: list[str]) -> None:
    by_fork, by_itself = portal.manage(*arguments), spawned(portal, *arguments)
    assert by_fork.returncode == by_itself.returncode
    assert (by_fork.stdout, by_fork.stderr) == (by_itself.stdout, by_itself.stderr)


def test_another_environment_asks_for_an_interpreter_of_its_own(portal: Portal) -> None:
    portal.environment["VERIFICATION_LEASE"] = "10"
    assert "VERIFICATION_LEASE = 10 " in portal.manage("diffsettings", "--all").stdout
    assert not forked.can_run([sys.executable], portal.environment)
