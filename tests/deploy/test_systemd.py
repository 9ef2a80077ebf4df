"""The units of deploy/systemd: systemd accepts them, and everything they name exists."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.core.management import get_commands

from portal import processes
from tests.support import tools
from tests.support.servers.live import ROOT

pytestmark = pytest.mark.fast

FOLDER = ROOT / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
COMMON = FOLDER / "weighbridge-.service.d" / "common.conf"
EXAMPLE = FOLDER / "weighbridge.env.example"
PYTHON = "/opt/weighbridge/.venv/bin/python"
#: Read by Python and Django themselves.
OF_LIBRARIES = {"DJANGO_SETTINGS_MODULE", "PYTHONDONTWRITEBYTECODE"}


def directives(path: Path) -> dict[str, list[str]]:
    """The directives of [Service]: name -> its values, one for each line."""
    found: dict[str, list[str]] = {}
    service = path.read_text().partition("[Service]")[2].partition("\n[")[0]
    for name, value in re.findall(r"^(\w+)=(.*)$", service, flags=re.M):
        found.setdefault(name, []).append(value)
    return found


def variables(path: Path) -> dict[str, str]:
    """The variables of Environment= directives."""
    words = " ".join(directives(path).get("Environment", [])).split()
    return dict(word.split("=", 1) for word in words)


@pytest.mark.needs("systemd-analyze")
def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "units")
    files = [*tmp_path.glob("units/*.service"), *tmp_path.glob("units/*.timer")]
    common = tmp_path / "units" / COMMON.relative_to(FOLDER)
    for file in (*files, common):
        # As if the portal were installed at its place.
        file.write_text(file.read_text().replace("/opt/weighbridge", str(ROOT)))
    command = [str(tools.find("systemd-analyze")), "verify", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    # The common part is read too: the same command refuses an error in it.
    common.write_text(common.read_text() + "NoSuchDirective=1\n")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "NoSuchDirective" in done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_each_command_of_a_unit_exists(unit: Path) -> None:
    commands = directives(unit)["ExecStart"]
    assert commands
    for command in commands:
        program, *words = command.split()
        assert program == PYTHON
        if words[0] == "-m":
            assert words[1] == "portal.processes"
            assert processes._command(words[2:])
        else:
            assert words[0] == "manage.py"
            assert words[1] in get_commands()


def test_the_units_run_every_process_of_the_portal() -> None:
    started = {command.split()[-1] for unit in UNITS for command in directives(unit)["ExecStart"]}
    assert {"web", "worker", "beat"} <= started
    assert any("prepare_install" in unit.read_text() for unit in UNITS)


def test_every_variable_of_the_units_and_of_the_example_is_one_that_is_read() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "portal").rglob("*.py"))
    read = set(re.findall(r'"([A-Z][A-Z0-9_]+)"', sources))
    example = set(re.findall(r"^([A-Z0-9_]+)=", EXAMPLE.read_text(), flags=re.M))
    assert example
    named = example.union(*(variables(path) for path in (*UNITS, COMMON)))
    assert named - OF_LIBRARIES <= read
    assert not [name for name in example if name.endswith(("_KEY", "_KEYS", "_PASSWORD"))]


def test_each_secret_is_a_credential_of_the_unit_that_reads_it() -> None:
    """systemd copies it for the unit's user; the file itself is only readable by root."""
    for path in (*UNITS, COMMON):
        loaded = {line.partition(":")[0] for line in directives(path).get("LoadCredential", [])}
        named = {
            value.removeprefix("%d/")
            for name, value in variables(path).items()
            if name.endswith("_FILE")
        }
        assert loaded == named, path.name
        assert directives(path).get("EnvironmentFile", []) in (
            [],
            ["/etc/weighbridge/weighbridge.env"],
        )


def test_no_unit_can_write_outside_its_folders() -> None:
    common = directives(COMMON)
    assert common["ProtectSystem"] == ["strict"]
    assert common["NoNewPrivileges"] == ["yes"]
    assert common["User"] == ["weighbridge"]
    # Folders of blobs that the group may read are setgid, which this directive would forbid.
    assert "RestrictSUIDSGID" not in common
