"""The repository has the structure that the documentation describes."""

import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from tests.support.servers.live import ROOT

pytestmark = pytest.mark.one_database

TOP_LEVEL = {
    *(".ci", "accounts", "bench", "deploy", "docs", "portal", "static", "templates", "tests"),
    *("weights", "CHANGELOG.md", "CONTRIBUTING.md", "Dockerfile", "LICENSE", "Makefile"),
    *("README.md", "docker-compose.yml", "manage.py", "pyproject.toml", "requirements.txt"),
    *("requirements.in", "requirements-dev.in", "requirements-dev.txt", ".dockerignore"),
    *("requirements-docs.in", "requirements-docs.txt"),
    *("requirements-loaders.in", "requirements-loaders.txt"),
    *("requirements-helm.in", "requirements-helm.txt"),
    ".gitignore",
}
#: Folders of this machine, which no other has.
HERE = {ROOT, ROOT.parent, Path.home()} - {Path("/"), Path("/tmp"), Path(tempfile.gettempdir())}
#: Bytes; what is larger belongs into a release, not into the history.
LARGEST = 2_000_000


def committed() -> list[Path]:
    """Every file under version control, or the whole tree if it is not a repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this copy is not under version control")
    names = [name for name in listed.stdout.split("\0") if name]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def test_the_top_level_holds_what_the_readme_names_and_nothing_else() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in committed()} <= TOP_LEVEL


def test_no_file_names_a_folder_of_this_machine() -> None:
    here = re.compile("|".join(rf"(?<![\w.:}}]){re.escape(str(path))}/\w" for path in HERE))
    for path in committed():
        text = path.read_bytes().decode("utf-8", errors="replace")
        found = here.search(text)
        assert not found, f"{path}: {found and found[0]}"


def test_no_file_is_large() -> None:
    assert [path for path in committed() if path.stat().st_size > LARGEST] == []


def test_scripts_can_be_run_and_other_files_cannot() -> None:
    scripts = {".ci/run", ".ci/tools", "manage.py"}
    executable = {str(p.relative_to(ROOT)) for p in committed() if p.stat().st_mode & 0o111}
    assert executable <= scripts
    assert {".ci/run", ".ci/tools"} <= executable


@pytest.mark.needs("shellcheck")
@pytest.mark.parametrize("script", [".ci/run", ".ci/tools", "deploy/secrets.sh"])
def test_shell_scripts_are_sound(script: str) -> None:
    done = subprocess.run(["shellcheck", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_make_lists_its_targets() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = ("run", "test", "test-transformers", "lint", "format", "bench")
    for target in (*targets, "security", "sbom", "requirements"):
        assert re.search(rf"^{target} +\w", done.stdout, flags=re.MULTILINE), target


#: Modules of a folder beside `__init__.py`; a larger one holds two capabilities.
MOST_MODULES, MOST_AT_A_ROOT = 14, 9


@pytest.mark.parametrize("app", ["accounts", "weights", "portal"])
def test_a_folder_holds_one_capability(app: str) -> None:
    modules = Counter(
        path.parent.relative_to(ROOT).as_posix()
        for path in committed()
        if path.suffix == ".py" and path.name != "__init__.py" and path.is_relative_to(ROOT / app)
    )
    assert modules.pop(app) <= MOST_AT_A_ROOT
    counted = {
        folder: count
        for folder, count in modules.items()
        if not folder.endswith(("/migrations", "/commands"))
    }
    assert {folder for folder, count in counted.items() if count > MOST_MODULES} == set()
