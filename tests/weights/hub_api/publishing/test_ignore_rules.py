"""The patterns of a .gitignore are read like git does, in bounded time."""

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.errors import InvalidValue
from weights.hub_api.publishing.ignore_rules import MAX_PATTERNS, MAX_SEGMENTS, IgnoreRules


@pytest.mark.parametrize(
    ("content", "ignored", "kept"),
    [
        ("*.log", ["a.log", "deep/a.log"], ["a.log.txt"]),
        ("/build", ["build", "build/x"], ["deep/build"]),
        ("cache/", ["cache/x", "deep/cache/x"], ["cache"]),
        ("*.bin\n!keep.bin", ["a.bin"], ["keep.bin", "deep/keep.bin"]),
        ("cache/\n!cache/keep", ["cache/keep"], []),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["b/a/z"]),
        ("a/**", ["a/b", "a/b/c"], ["a"]),
        ("**/logs/x", ["logs/x", "deep/er/logs/x"], ["logs/y"]),
        ("a/*/c", ["a/b/c"], ["a/b/d/c"]),
        ("[^a].txt", ["b.txt"], ["a.txt"]),
        (r"\#a", ["#a"], ["a"]),
        (r"\!a", ["!a"], ["a"]),
        (r"\*", ["*"], ["a"]),
        ("# a comment\n\n  \nx  ", ["x"], ["# a comment", "y"]),
    ],
)
def test_patterns_mean_what_git_documents(
    content: str, ignored: list[str], kept: list[str]
) -> None:
    rules = IgnoreRules(content)
    assert [path for path in ignored if not rules.ignores(path)] == []
    assert [path for path in kept if rules.ignores(path)] == []


_PART = st.text(alphabet="ab.", min_size=1, max_size=3).filter(lambda part: part.strip("."))
_PATH = st.lists(_PART, min_size=1, max_size=3).map("/".join)
_GLOB = st.text(alphabet="ab.*?", min_size=1, max_size=3) | st.just("**")
_LINE = st.tuples(
    st.sampled_from(["", "!", "/"]), st.lists(_GLOB, min_size=1, max_size=3), st.booleans()
).map(lambda parts: parts[0] + "/".join(parts[1]) + "/" * parts[2])


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    return folder


@pytest.mark.needs("git")
@settings(max_examples=150, deadline=None)
@given(lines=st.lists(_LINE, min_size=1, max_size=3), path=_PATH)
def test_git_agrees(repository: Path, lines: list[str], path: str) -> None:
    content = "\n".join(lines) + "\n"
    (repository / ".gitignore").write_text(content)
    command = ["git", "-C", str(repository), "check-ignore", "--no-index", "--quiet", path]
    ignored = subprocess.run(command, check=False).returncode == 0
    assert IgnoreRules(content).ignores(path) == ignored


def test_a_hostile_pattern_costs_no_time() -> None:
    rules = IgnoreRules("*a" * 200 + "b\n" + "**/" * 100 + "b")
    started = time.thread_time()
    assert not rules.ignores("/".join(["a" * 200] * 5))
    assert time.thread_time() - started < 1


def test_a_file_of_too_many_patterns_or_a_path_of_too_many_folders_is_refused() -> None:
    with pytest.raises(InvalidValue, match=f"more than {MAX_PATTERNS} patterns"):
        IgnoreRules("a\n" * (MAX_PATTERNS + 1))
    with pytest.raises(InvalidValue, match=f"more than {MAX_SEGMENTS} folders"):
        IgnoreRules("a").ignores("b/" * MAX_SEGMENTS + "b")
