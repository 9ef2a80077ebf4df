"""The reference pages that `make docs` generates from the code."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.servers.live import ROOT

pytestmark = pytest.mark.one_database

#: boto3 reads these, the Makefile and docker-compose.yml those.
READ_ELSEWHERE = re.compile(r"AWS_(?!SECRET_ACCESS_KEY_FILE)|POSTGRES_|HTTPS?_PORT$")


def module(name: str) -> ModuleType:
    spec = spec_from_file_location(name, ROOT / "docs" / "site" / f"{name}.py")
    assert spec
    assert spec.loader
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    return module("reference")


@pytest.mark.slow
def test_settings_names_every_variable_of_the_operating_page(reference: ModuleType) -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    rows = re.findall(r"^\| ((?:`[A-Z][A-Z\d]*_[A-Z\d_]+`(?:, )?)+) \|", page, flags=re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    read = {one.name: one for one in reference.read_settings()}
    assert {name for name in listed - set(read) if not READ_ELSEWHERE.match(name)} == set()
    assert read["SCRUB_DAYS"].default == "30"
    assert read["SCRUB_DAYS"].bounds == "at least 1, at most 365"


def test_commands_has_every_command_with_its_arguments(reference: ModuleType) -> None:
    page = reference.commands()
    folders = [ROOT / app / "management" / "commands" for app in ("accounts", "portal", "weights")]
    names = {path.stem for folder in folders for path in folder.glob("[!_]*.py")}
    assert set(re.findall(r"^## (\w+)$", page, flags=re.MULTILINE)) == names
    assert "`--accept-findings`" in page
    assert "--traceback`" not in page.partition("## ")[2]


def test_the_api_and_its_codes_are_complete(reference: ModuleType) -> None:
    assert "| `GET /api/v1/checkpoints` |" in reference.endpoints()
    assert re.search(r"^\| `quota` \| 429 \|", reference.codes(), flags=re.MULTILINE)


def test_a_page_with_inline_code_fails_the_build(tmp_path: Path) -> None:
    strict = module("strict")
    (tmp_path / "_static").mkdir()
    page = tmp_path / "index.html"
    page.write_text("<style>a { color: red }</style><p>fine")
    strict.apply(tmp_path)
    assert page.read_text() == '<link rel="stylesheet" href="_static/variables.css"><p>fine'
    assert (tmp_path / "_static" / "variables.css").read_text() == "a { color: red }"
    page.write_text('<p onclick="run()">not fine')
    with pytest.raises(SystemExit, match="is inline"):
        strict.apply(tmp_path)
