"""A test that replaces a real part has a comment that says why."""

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_database

STAND_IN = re.compile(r"\b(?:monkeypatch|patch)\.setattr\(|\bmock\.patch|\bMock\(")


def without_a_reason(source: str) -> list[int]:
    """Lines of replacements without a comment on their group, outside documented fixtures."""
    if not STAND_IN.search(source):
        return []
    described = _described_fixtures(source)
    found, is_explained = [], False
    for number, line in enumerate(source.splitlines(), 1):
        if STAND_IN.search(line):
            is_explained = is_explained or "  # " in line or number in described
            if not is_explained:
                found.append(number)
        elif not line.endswith("("):
            is_explained = line.lstrip().startswith("# ")
    return found


def _described_fixtures(source: str) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
            named = [ast.unparse(decorator) for decorator in node.decorator_list]
            if any(name.startswith("pytest.fixture") for name in named):
                lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


@pytest.mark.slow
def test_every_stand_in_has_its_reason() -> None:
    for path in sorted(Path("tests").rglob("*.py")):
        if path.name != Path(__file__).name:
            assert without_a_reason(path.read_text(encoding="utf-8")) == [], path


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("monkeypatch.setattr(a, 'b', c)", [1]),
        ("# It is slow.\nmonkeypatch.setattr(a, 'b', c)\nmonkeypatch.setattr(a, 'd', c)", []),
        ("# It is slow.\nrun()\nmonkeypatch.setattr(a, 'b', c)", [3]),
        ("@pytest.fixture\ndef swift():\n    'It is slow.'\n    mock.patch('a')", []),
        ("def swift():\n    'It is slow.'\n    mock.patch('a')", [3]),
    ],
)
def test_a_stand_in_without_a_reason_is_detected(source: str, lines: list[int]) -> None:
    assert without_a_reason(source) == lines
