"""Each row of docs/requirements.md is cited by a test, and no test cites an unknown row."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.support.servers.live import ROOT

pytestmark = pytest.mark.one_database

PAGE = (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([A-Z]{2}-\d+) \| (.+) \|$", PAGE, flags=re.MULTILINE)
IDS = [name for name, _ in ROWS]

Test = ast.FunctionDef | ast.AsyncFunctionDef


def collected(tree: ast.AST) -> Iterator[Test]:
    """The functions of a module that pytest collects: on top, or in a class of tests."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Test) and node.name.startswith("test_"):
            yield node
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from collected(node)


def cited_by(test: Test) -> Iterator[str]:
    """The ids in `@pytest.mark.requirement("GT-3", …)` above a test."""
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.requirement":
            yield from (ast.literal_eval(argument) for argument in mark.args)


def citations() -> dict[str, list[str]]:
    """id -> the tests that cite it."""
    found = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        for test in collected(tree):
            for name in cited_by(test):
                found[name].append(f"{path.relative_to(ROOT)}::{test.name}")
    return found


def test_every_row_has_its_own_id() -> None:
    assert len(IDS) > 100
    assert len(set(IDS)) == len(IDS)
    lines = [line for line in PAGE.splitlines() if re.match(r"\| [A-Z]{2}", line)]
    assert len(lines) == len(IDS), "a row is not written as `| GT-1 | What must hold. |`"


@pytest.mark.slow
def test_every_row_is_proved_by_a_test() -> None:
    cited = citations()
    assert [name for name in IDS if name not in cited] == []


@pytest.mark.slow
def test_no_test_cites_a_row_that_is_not_there() -> None:
    unknown = {name: tests for name, tests in citations().items() if name not in IDS}
    assert unknown == {}


@pytest.mark.slow
def test_every_mark_names_a_row() -> None:
    """A mark above anything else than a test proves nothing."""
    marks = sum(
        len(re.findall(r"mark\.requirement\(", path.read_text(encoding="utf-8")))
        for path in (ROOT / "tests").rglob("test_*.py")
        if path.name != "test_requirement_ids.py"
    )
    trees = [
        ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "tests").rglob("test_*.py")
    ]
    marked = sum(any(cited_by(test)) for tree in trees for test in collected(tree))
    assert marked == marks
