"""What the documentation names exists: files, folders, headings, commands, settings."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path, PurePosixPath

import pytest

from tests.support.servers.live import ROOT

pytestmark = pytest.mark.one_database

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
SOURCES = (
    "accounts",
    "bench",
    "deploy",
    "docs",
    "portal",
    "static",
    "templates",
    "tests",
    "weights",
)
FILES = {path for folder in SOURCES for path in (ROOT / folder).rglob("*.*") if path.is_file()}
#: Folders of an install, of an archive and of a backup; no folders of ours.
ELSEWHERE = {"var/", "blobs/", "broker/", "run/", "documents/"}
#: Django's own.
COMMANDS = {"check", "collectstatic", "dumpdata", "flush", "loaddata", "makemigrations", "migrate"}
#: Variables that clients read.
OTHERS = {
    *("HF_HUB_OFFLINE", "HTTPS_PROXY", "MODEL_ENDPOINT"),
    *("NO_PROXY", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"),
}

#: A page that code cites: docs/audit.md, docs/audit.md#heads, or a decision as docs/decisions/0006.
CITED_PAGE = re.compile(r"\bdocs/((?:decisions/\d{4})|[a-z]+(?=\.md))(?:\.md)?(?:#([\w-]+))?")
CITED_HEADING = re.compile(r"\"([^\"\n]+)\" in docs/([a-z]+)\.md")
CITED_ROWS = re.compile(r"docs/requirements\.md,((?:\s(?:and\s)?[A-Z]{2}(?:-\d+)?\b)+)")
#: A page without its folder, or a section of a text that is not in the tree.
VAGUE_CITATION = re.compile(r"(?<![\w/-])[a-z-]+\.md(?:#| section|,? \d|, [A-Z]{2}\b)")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors(page: Path) -> set[str]:
    """The names by which a page's headings are linked to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in headings}


def named(page: Path) -> Iterator[str]:
    """The texts in backquotes on one line."""
    yield from re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))


@each_page
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, heading = target.partition("#")
        if re.match(r"https?:|mailto:", target):
            continue
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not heading or heading in anchors(there), target


@each_page
def test_files_and_folders_that_are_named_exist(page: Path) -> None:
    top = {path.name for path in ROOT.iterdir()}
    for name in named(page):
        if not re.fullmatch(
            r"(?:[\w.-]+/)*[\w.-]+\.(?:py|md|sh|html|css|js|yml|conf)|(?:[\w-]+/)+", name
        ):
            continue
        path = str(PurePosixPath(name))  # without a slash at its end
        ours = _folders() if name.endswith("/") else _endings()
        assert path in ours | top or name in ELSEWHERE, name


@cache
def _endings() -> frozenset[str]:
    """Every file by its name, and by its path from each of its folders on."""
    parts = [path.relative_to(ROOT).parts for path in FILES]
    return frozenset("/".join(one[at:]) for one in parts for at in range(len(one)))


@cache
def _folders() -> frozenset[str]:
    """Every folder with files below it, by its path from and up to each folder above it."""
    parts = {path.relative_to(ROOT).parts[:-1] for path in FILES}
    return frozenset(
        "/".join(one[start:end])
        for one in parts
        for start, end in combinations(range(len(one) + 1), 2)
    )


@each_page
def test_commands_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"manage\.py (\w+)", text)) <= _our_commands() | COMMANDS
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= set(targets)


@cache
def _our_commands() -> frozenset[str]:
    return frozenset(path.stem for path in FILES if path.parent.name == "commands")


@pytest.mark.slow
@each_page
def test_settings_that_are_named_are_read_somewhere(page: Path) -> None:
    read = _words_of_python().union(
        *(_words(ROOT / name) for name in ("Makefile", "docker-compose.yml"))
    )
    for name in named(page):
        setting = re.match(r"([A-Z][A-Z\d]*_[A-Z\d_]+)(?:=|$)", name)
        assert not setting or setting[1] in OTHERS | read, name


@cache
def _words_of_python() -> frozenset[str]:
    """Every word of every Python file but this one."""
    files = [path for path in FILES if path.suffix == ".py" and path != Path(__file__)]
    return frozenset[str]().union(*map(_words, files))


def _words(path: Path) -> set[str]:
    return set(re.findall(r"\w+", path.read_text(encoding="utf-8")))


def test_the_worked_example_names_only_what_the_code_has() -> None:
    """Constants, functions and calls of CONTRIBUTING's example, but for those that it adds."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    example = page[page.index("## A worked example") : page.index("## How code reads")]
    words = set(re.findall(r"`(\w+)`|\b(?:\w+\.)?(\w+)\(", example))
    names = {name for pair in words for name in pair if name}
    added = {name for name in names if "revise" in name or "taken_back" in name}
    assert names - added - _words_of_python() == set()
    assert len(names) > 15


def _code() -> Iterator[tuple[Path, str]]:
    """Every file of code that may cite a page, with its text."""
    kinds = {".py", ".html", ".txt", ".toml", ".sh", ".yml", ".conf", ".js", ".css"}
    for path in [*FILES, ROOT / "Makefile", ROOT / "pyproject.toml"]:
        if path.suffix in kinds | {""} and path != Path(__file__):
            yield path, path.read_text(encoding="utf-8")


@pytest.mark.slow
def test_pages_and_headings_that_code_cites_exist() -> None:
    count = 0
    for path, text in _code():
        for name, anchor in CITED_PAGE.findall(text):
            pattern = f"{name}-*.md" if name.startswith("decisions/") else f"{name}.md"
            pages = list((ROOT / "docs").glob(pattern))
            assert pages, (path, name)
            assert not anchor or anchor in anchors(pages[0]), (path, name, anchor)
            count += 1
        for heading, name in CITED_HEADING.findall(text):
            slug = heading.lower().replace(" ", "-")
            assert slug in anchors(ROOT / "docs" / f"{name}.md"), (path, heading)
        assert VAGUE_CITATION.findall(text) == [], path
    assert count > 50


def test_requirements_that_code_cites_exist() -> None:
    page = (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")
    ids = set(re.findall(r"^\| ([A-Z]{2}-\d+) \|", page, flags=re.MULTILINE))
    letters = {name[:2] for name in ids}
    for path, text in _code():
        for cited in CITED_ROWS.findall(text):
            names = set(re.findall(r"[A-Z]{2}(?:-\d+)?", cited))
            assert names <= ids | letters, (path, names)
