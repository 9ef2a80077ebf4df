"""README.md, docs/clients.md and the tutorials run as written on `make run`."""

import re
from pathlib import Path

import pytest

from tests.support.documented_commands import Block, Shell, blocks, missing_lines, substituted
from tests.support.servers import services
from tests.support.servers.install import Install
from tests.support.servers.live import ROOT

pytestmark = [
    pytest.mark.one_database,
    pytest.mark.xdist_group("quickstart"),
    pytest.mark.needs("bash", "curl", "md5sum"),
]

README = (ROOT / "README.md").read_text(encoding="utf-8")
TUTORIALS = ROOT / "docs" / "tutorials"
CLIENTS = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
PAGES_ADDRESS = "http://127.0.0.1:8000"
#: The install exists already, the suite would start itself, and pip has installed these.
NOT_RUN = ("git clone ", "make run", "make test", "pip install ")
#: README.md has the same commands, of 994 files each: once is enough.
BY_README = (
    'curl -fO "${LINK}download.sh"',
    "hf download weighbridge/demo-gated --local-dir demo-gated",
)


@pytest.fixture
def ready(running: Install) -> Install:
    """The install once its demo checkpoints are visible."""
    services.wait_until(
        lambda: "\nDemo checkpoints are ready: " in running.output,
        "the verification of the demo checkpoints",
        seconds=180,
        pause=0.5,
    )
    return running


def to_run(page: str, *left_out: str) -> list[Block]:
    """The page's blocks without commands that begin so."""
    left_out += NOT_RUN
    return [
        Block(tuple(line for line in block.commands if not line.startswith(left_out)), block.shown)
        for block in blocks(page)
    ]


def test_the_parser_finds_commands_and_the_output_below_them() -> None:
    output, mail = "```\nshown …\n```\n", "```\na mail\n```\n"
    page = f"Text\n\n    one\n    two\n\n{output}\nText\n\n{mail}\n```sh\nthree\n```\n"
    assert blocks(page) == [Block(("one", "two"), ("shown …",)), Block(("three",))]
    assert missing_lines(("a … c", "d"), "a b c\nd\n") == []
    assert missing_lines(("d", "a … c"), "a b c\nd\n") == ["a … c"]


def test_the_start_prints_what_the_readme_shows(ready: Install) -> None:
    first = substituted(blocks(README)[:1], {PAGES_ADDRESS: ready.url})[0]
    assert "make run" in first.commands
    by_make = "Installing the requirements into .venv (once)"
    shown = tuple(line for line in first.shown if line != by_make)
    assert len(shown) == len(first.shown) - 1
    assert missing_lines(shown, ready.output) == []


def test_the_commands_of_the_readme_work_and_print_what_it_shows(
    ready: Install, tmp_path: Path
) -> None:
    found = substituted(to_run(README)[1:], {PAGES_ADDRESS: ready.url})
    assert len(found) > 10
    outputs = Shell(ready, tmp_path).run(found, seconds=900)
    for block, output in zip(found, outputs, strict=True):
        assert missing_lines(block.shown, output) == [], (block.commands, output[-2000:])


@pytest.mark.needs("aria2c", "rclone", "sha256sum", "wget")
def test_the_commands_for_clients_work(ready: Install, tmp_path: Path) -> None:
    shell = Shell(ready, tmp_path)
    filled_in = _filled_in(ready)
    found = substituted([*to_run(CLIENTS, *BY_README), _of_the_table()], filled_in)
    for text in filled_in:
        assert text in CLIENTS, f"{text} is filled in, but stands nowhere"
    assert not [line for block in found for line in block.commands if "…" in line]
    for command in BY_README:
        assert command in README
    outputs = shell.run(found, seconds=900)
    assert "Verification succeeded" in "".join(outputs)


@pytest.mark.parametrize("page", sorted(path.stem for path in TUTORIALS.glob("*.md")))
def test_the_commands_of_the_tutorials_work_and_print_what_they_show(
    ready: Install, tmp_path: Path, page: str
) -> None:
    text = (TUTORIALS / f"{page}.md").read_text(encoding="utf-8")
    found = [block for block in to_run(text) if block.commands]
    found = substituted(found, {PAGES_ADDRESS: ready.url})
    assert found
    outputs = Shell(ready, tmp_path).run(found, seconds=600)
    for block, output in zip(found, outputs, strict=True):
        assert missing_lines(block.shown, output) == [], (block.commands, output[-2000:])


def _of_the_table() -> Block:
    """The commands in the page's first table of `hf`; some depend on earlier ones."""
    rows = re.findall(r"^\| [a-z][^|]* \| (`hf [^|]*) \|$", CLIENTS, flags=re.MULTILINE)
    commands = [command for row in rows for command in re.findall(r"`(hf [^`]+)`", row)]
    assert len(commands) >= 8
    return Block(tuple(commands))


def _filled_in(install: Install) -> dict[str, str]:
    """What a reader puts in place of the page's examples."""
    _manage(install, "create_account", "nell", "nell@example.org")
    _manage(install, "grant", "nell", "opt-175b", "--reason", "reads the documentation")
    key = install.query("SELECT key_id FROM weights_manifestkey")[0][0]
    return {
        "hf_wb…": _manage(install, "create_token", "nell", "--scope", "read-gated"),
        "$PORTAL/d/QH1x8o0me…/": _manage(
            install, "checkpoint_link", "nell", "weighbridge/demo-gated"
        ),
        "1c2d3e4f5a6b7c8d": str(key),
        PAGES_ADDRESS: install.url,
    }


def _manage(install: Install, *arguments: str) -> str:
    ended = install.manage(*arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()
