"""Each block of commands on a page is run by a test, or says why it is not.

A comment is directly above a block, or below the page's title for all blocks without one:
`<!-- run by tests/… -->`, `<!-- not run: … -->`, `<!-- every block: not run: … -->`.
"""

import re
from pathlib import Path

import pytest

from tests.support.documented_commands import BLOCK
from tests.support.servers.live import ROOT

pytestmark = pytest.mark.one_database

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "bench/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
LANGUAGES = {"bash", "console", "sh", "shell"}
_ABOVE = re.compile(r"<!-- ((?:run by|not run:) [^>]+) -->\s*\Z")
_WHOLE_PAGE = re.compile(r"^<!-- every block: ((?:run by|not run:) [^>]+) -->$", re.MULTILINE)


def marks(page: str) -> list[tuple[str, str]]:
    """The first command and the mark of each block; an empty mark where there is none."""
    whole = _WHOLE_PAGE.search(page)
    found = []
    for match in BLOCK.finditer(page):
        lines_above = page[: match.start()].splitlines() or [""]
        if match["indented"] and lines_above[-1].startswith("     "):
            continue  # the rest of a loop, whose body is indented further
        if not match["indented"] and match["language"] not in LANGUAGES:
            continue
        above = _ABOVE.search(page[: match.start()]) or whole
        first = (match["indented"] or match["fenced"]).strip().splitlines()[0]
        found.append((first, above[1] if above else ""))
    return found


def test_a_mark_stands_directly_above_its_block_or_below_the_title() -> None:
    own = "<!-- not run: a reason -->\n\n    one\n\nText\n\n```console\n$ two\n```\n"
    assert marks(own) == [("one", "not run: a reason"), ("$ two", "")]
    title = "# Title\n\n<!-- every block: run by tests/test_docs.py -->\n\n"
    assert [mark for _, mark in marks(title + own)] == [
        "not run: a reason",
        "run by tests/test_docs.py",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_commands_is_run_or_says_why_not(page: Path) -> None:
    for command, mark in marks(page.read_text(encoding="utf-8")):
        assert mark, f"{command}: put <!-- run by tests/… --> or <!-- not run: … --> above it"
        if mark.startswith("run by"):
            test = mark.removeprefix("run by ").partition(",")[0]
            assert (ROOT / test).is_file(), mark
