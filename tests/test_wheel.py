"""The wheel: its content, and its commands without a source tree."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.servers.live import ROOT

pytestmark = [pytest.mark.one_database, pytest.mark.xdist_group("wheel")]

#: Folders of the tree, and where the wheel has their files.
PARTS = {
    **{app: app for app in ("accounts", "portal", "weights")},
    **{folder: f"portal/assets/{folder}" for folder in ("static", "templates")},
}


def run(*command: str, **environment: str) -> str:
    """The standard output of a command that knows nothing of this folder."""
    clean = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    done = subprocess.run(
        command, capture_output=True, text=True, env=clean | environment, cwd="/", check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel() -> Path:
    """The wheel, made as a person makes it; make does not ask which requirements are installed."""
    make = ["make", "-o", ".venv/development.stamp", "-C", str(ROOT), "wheel"]
    run(*make, f"BIN={Path(sys.executable).parent}")
    (made,) = (ROOT / "build" / "wheel").glob("*.whl")
    return made


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the wheel and what it needs, no more."""
    place = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", str(place))
    programs = place / "bin"
    own = run(
        str(programs / "python"), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"
    )
    Path(own.strip(), "needed.pth").write_text(sysconfig.get_path("purelib"))
    install = ["pip", "install", "--quiet", "--offline", "--no-deps", str(wheel)]
    run(f"{Path(sys.executable).parent}/uv", *install, "--python", str(programs / "python"))
    return programs


def test_the_wheel_holds_every_file_of_the_portal_and_no_other(wheel: Path) -> None:
    wanted = {
        f"{place}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, place in PARTS.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    built = ("portal/assets/staticfiles/", "portal/assets/documentation/")
    assert {name for name in names if not name.startswith(built)} == wanted
    assert any(name.startswith("weights/migrations/0001") for name in wanted)
    assert any(name.endswith("templates/base.html") for name in wanted)


def test_the_wheel_holds_the_collected_static_files_and_the_documentation(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    assert "portal/assets/documentation/search.html" in names
    collected = "portal/assets/staticfiles"
    assert f"{collected}/staticfiles.json" in names
    assert f"{collected}/admin/css/base.css" in names
    assert any(name.startswith(f"{collected}/css/site.") and name.endswith(".gz") for name in names)


def test_the_requirements_lie_beside_the_wheel(wheel: Path) -> None:
    requirements = (wheel.parent / "requirements.txt").read_bytes()
    assert requirements == (ROOT / "requirements.txt").read_bytes()


def test_the_version_is_that_of_the_changelog(wheel: Path, programs: Path) -> None:
    sections = (ROOT / "CHANGELOG.md").read_text().split("\n## [")
    unreleased, release = sections[1], sections[2].partition("]")[0]
    printed = run(str(programs / "weighbridge"), "--version").strip()
    assert printed.startswith(f"weighbridge {release}.post" if "\n- " in unreleased else release)
    assert wheel.name == f"{printed.replace(' ', '-')}-py3-none-any.whl"


def test_the_installed_command_works_without_the_source_tree(
    programs: Path, tmp_path: Path
) -> None:
    """In the user's own folder, unless DATA_DIR names another."""
    weighbridge = str(programs / "weighbridge")
    commands = run(weighbridge, "--help", XDG_DATA_HOME=str(tmp_path))
    assert {"quickstart", "publish", "backup"} <= set(commands.split())
    assert (tmp_path / "weighbridge" / "keys.env").exists()
    run(weighbridge, "check", DATA_DIR=str(tmp_path / "elsewhere"))
    where = "import portal, pathlib; print(pathlib.Path(portal.__file__).parents[1])"
    assert ROOT not in Path(run(str(programs / "python"), "-c", where).strip()).parents


def test_the_installed_pages_and_styles_are_those_of_the_wheel(
    programs: Path, tmp_path: Path
) -> None:
    """Production, which has no DATA_DIR, needs no collectstatic."""
    code = (
        "import django; django.setup()\n"
        "from django.conf import settings\n"
        "from django.contrib.staticfiles.storage import staticfiles_storage\n"
        "from django.template.loader import get_template\n"
        "print(get_template('base.html').origin)\n"
        "settings.STATIC_ROOT = settings.ASSETS / 'staticfiles'\n"
        "print(staticfiles_storage.path(staticfiles_storage.stored_name('css/site.css')))\n"
    )
    settings = {"DJANGO_SETTINGS_MODULE": "portal.settings.embedded", "DATA_DIR": str(tmp_path)}
    for path in run(str(programs / "python"), "-c", code, **settings).split():
        assert Path(path).is_file()
        assert Path(path).is_relative_to(programs.parent)
