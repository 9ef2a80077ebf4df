"""Installed packages are the pinned ones: each in one version, by its file's hash."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.servers.live import ROOT

pytestmark = pytest.mark.one_database

FILES = [
    *("requirements", "requirements-docs", "requirements-dev", "requirements-loaders"),
    "requirements-helm",
]
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def pinned(name: str) -> dict[str, list[Requirement]]:
    """The requirements of a compiled file by package; one for some Pythons, one for others."""
    found: dict[str, list[Requirement]] = {}
    for block in _blocks(name):
        requirement = Requirement(block.partition("--hash")[0].strip())
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def asked(name: str) -> list[Requirement]:
    """The short list that a person wrote."""
    lines = (ROOT / f"{name}.in").read_text().splitlines()
    bare = [line.partition("#")[0].strip() for line in lines]
    return [Requirement(line) for line in bare if line and not line.startswith("-")]


def _blocks(name: str) -> list[str]:
    """Each requirement of a compiled file with its hashes, on one line."""
    text = (ROOT / f"{name}.txt").read_text().replace("\\\n", " ")
    return [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]


@pytest.mark.requirement("OP-3")
@pytest.mark.parametrize("name", FILES)
def test_every_requirement_has_one_version_and_hashes(name: str) -> None:
    for block in _blocks(name):
        requirement, *hashes = block.split("--hash=")
        assert re.search(r"==[^*\s]+", requirement), block
        assert hashes, block
        assert len(HASH.findall(block)) == len(hashes), block


@pytest.mark.parametrize("name", FILES)
def test_every_required_package_is_pinned_within_its_bounds(name: str) -> None:
    found = pinned(name)
    for wanted in asked(name):
        for got in found[canonicalize_name(wanted.name)]:
            (version,) = got.specifier
            assert wanted.specifier.contains(version.version), f"{wanted}: run make requirements"


@pytest.mark.parametrize("python", ["3.11.0", "3.11.9", "3.12.1", "3.13.0"])
@pytest.mark.parametrize("name", FILES)
def test_every_python_from_3_11_gets_one_version_of_each_package(name: str, python: str) -> None:
    """Some packages are pinned twice, for older and newer Pythons; none is left out for one."""
    here: dict[str, Any] = {
        **{"python_full_version": python, "python_version": python.rpartition(".")[0]},
        **{"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
        **{"platform_machine": "x86_64", "implementation_name": "cpython"},
        **{"platform_python_implementation": "CPython"},
    }
    wanted = {canonicalize_name(one.name) for one in asked(name)}
    for package, versions in pinned(name).items():
        meant = [one for one in versions if one.marker is None or one.marker.evaluate(here)]
        assert len(meant) <= 1, package
        assert meant or package not in wanted, f"{package} has no version for Python {python}"


def test_development_runs_on_the_versions_that_are_shipped() -> None:
    shipped, development = pinned("requirements"), pinned("requirements-dev")
    for package, versions in shipped.items():
        assert [str(v.specifier) for v in development[package]] == [
            str(v.specifier) for v in versions
        ], package


@pytest.mark.parametrize("name", FILES)
def test_compiled_files_name_no_index_and_no_folder(name: str) -> None:
    text = (ROOT / f"{name}.txt").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--index|--extra-index|--find-links|-f)\b", text, flags=re.M)
    assert text.splitlines()[1].split() == ["#", "make", "requirements"]


@pytest.mark.requirement("OP-3")
def test_image_and_make_take_nothing_without_its_hash() -> None:
    for name in ("Makefile", "Dockerfile"):
        text = (ROOT / name).read_text()
        installs = [line for line in text.splitlines() if re.search(r"requirements\S*\.txt$", line)]
        installs = [line for line in installs if "pip" in line.lower()]
        assert installs, name
        for line in installs:
            assert "--require-hashes" in line or "$(PINNED)" in line, line


# -- advisories -----------------------------------------------------------------------------


class Advisories(BaseHTTPRequestHandler):
    """Answers as OSV does: an advisory about each version in `KNOWN`, nothing about others."""

    KNOWN: ClassVar = {("six", "1.0.0")}

    def do_POST(self) -> None:
        asked_for = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        package = asked_for["package"]
        known = (package["name"], asked_for["version"]) in self.KNOWN
        body = json.dumps({"vulns": [_advisory(package)]} if known else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to the terminal."""


def _advisory(package: dict[str, str]) -> dict[str, object]:
    fixed = [{"introduced": "0"}, {"fixed": "1.0.1"}]
    affected = {"package": package, "ranges": [{"type": "ECOSYSTEM", "events": fixed}]}
    return {"id": "PYSEC-2000-1", "aliases": ["CVE-2000-0001"], "affected": [affected]}


@pytest.fixture
def source() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Advisories)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
    server.shutdown()
    thread.join()
    server.server_close()


def advisories(tmp_path: Path, *pins: str, source: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "pins.txt"
    file.write_text("".join(f"{pin} --hash=sha256:{'0' * 64}\n" for pin in pins))
    command = [sys.executable, ".ci/advisories.py", str(file), "--source", source]
    environment = os.environ | {"NO_PROXY": "127.0.0.1", "HOME": str(tmp_path)}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.requirement("OP-4")
def test_a_known_advisory_fails_the_check_and_is_named(tmp_path: Path, source: str) -> None:
    done = advisories(tmp_path, "six==1.0.0", "toml==0.10.2", source=source)
    assert done.returncode == 1, done.stderr
    assert done.stdout == "six 1.0.0: PYSEC-2000-1, CVE-2000-0001; mended in 1.0.1\n"


def test_packages_without_an_advisory_pass(tmp_path: Path, source: str) -> None:
    done = advisories(tmp_path, "six==1.16.0", "toml==0.10.2", source=source)
    assert (done.returncode, done.stdout) == (0, "no advisory about 2 packages\n")


def test_a_missing_source_is_skipped_with_a_message(tmp_path: Path) -> None:
    done = advisories(tmp_path, "six==1.0.0", source="http://127.0.0.1:9/v1/query")
    assert (done.returncode, done.stdout) == (0, "skipped: advisories cannot be reached\n")


def test_a_fault_of_the_check_itself_is_no_skip(tmp_path: Path, source: str) -> None:
    done = advisories(tmp_path, "six>=1", source=source)
    assert done.returncode == 1
    assert "six" in done.stderr


@pytest.mark.requirement("OP-5")
def test_the_bill_of_materials_names_every_package_that_is_shipped(tmp_path: Path) -> None:
    """Made as `make sbom` makes it."""
    bill = tmp_path / "sbom.json"
    make = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements"]
    whose = ["--pyproject", "pyproject.toml", "--output-file", str(bill), "requirements.txt"]
    done = subprocess.run([*make, *whose], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(bill.read_text())
    assert told["bomFormat"] == "CycloneDX"
    named = {canonicalize_name(one["name"]) for one in told["components"]}
    assert named == set(pinned("requirements"))
