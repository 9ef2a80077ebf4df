"""`make docs`: the documentation as a site, below build/docs/html.

Pages are copied into one folder and their links rewritten; reference pages are written from the
code. A warning of the generator, such as a broken link, fails the build.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import django
from sphinx.cmd.build import main as sphinx

SITE = Path(__file__).resolve().parent
ROOT = SITE.parents[1]
sys.path[:0] = [str(ROOT), str(SITE)]

import strict  # noqa: E402
from navigation import contents  # noqa: E402

#: Pages that stand elsewhere in the tree, by their names in the site.
ELSEWHERE = {
    "README.md": "readme.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "bench/README.md": "benchmarks.md",
    "docs/site/index.md": "index.md",
    "LICENSE": "licence.md",
}
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]*)(#[^)\s]*)?\)")


def main(output: Path) -> int:
    """Build the site into the folder `output`; returns the exit code of the generator."""
    source = output / "source"
    shutil.rmtree(source, ignore_errors=True)
    places = dict(_places())
    for path, name in places.items():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / path).read_text(encoding="utf-8")
        if path == "LICENSE":
            text = f"# Licence\n\n```text\n{text}```\n"
        target.write_text(_linked(text, path, places), encoding="utf-8")
    shutil.copytree(ROOT / "docs" / "images", source / "images")
    _write_decisions(source)
    _write_reference(source / "reference")
    pages = {path.relative_to(source).with_suffix("").as_posix() for path in source.rglob("*.md")}
    with (source / "index.md").open("a", encoding="utf-8") as index:
        index.write(contents(pages))
    options = ["--fail-on-warning", "--keep-going", "--quiet"]
    settings = ["-c", str(SITE), "-d", str(output / "doctrees")]
    code = sphinx([*options, *settings, str(source), str(output / "html")])
    strict.apply(output / "html")
    sys.stdout.write(f"{len(pages)} pages in {output / 'html'}\n")
    return code


def _places() -> Iterator[tuple[str, str]]:
    """Each page's path in the tree, and its name in the site."""
    for path in sorted((ROOT / "docs").rglob("*.md")):
        name = path.relative_to(ROOT / "docs").as_posix()
        if not name.startswith("site/"):
            yield f"docs/{name}", name
    yield from ELSEWHERE.items()


def _linked(text: str, path: str, places: dict[str, str]) -> str:
    """The text of the page `path`, with its links to other files rewritten for the site."""
    folder = PurePosixPath(places[path]).parent

    def link(match: re.Match[str]) -> str:
        target = os.path.normpath(PurePosixPath(path).parent / match[1])
        if target == "docs/decisions":
            name = "decisions/index.md"
        elif target.startswith("docs/images/"):
            name = target.removeprefix("docs/")
        elif target in places:
            name = places[target]
        else:
            raise SystemExit(f"{path}: the site has no page for {match[1]}")
        return f"]({os.path.relpath(name, folder)}{match[2] or ''})"

    return _LINK.sub(link, text)


def _write_decisions(source: Path) -> None:
    names = sorted(path.stem for path in (source / "decisions").glob("0*.md"))
    listed = "".join(f"{name}\n" for name in names)
    head = "# Decisions\n\nDecisions and their reasons.\n\n```{toctree}\n:titlesonly:\n\n"
    (source / "decisions" / "index.md").write_text(f"{head}{listed}```\n")


def _write_reference(folder: Path) -> None:
    """The reference pages, from the code of the portal."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")
    django.setup()
    import reference  # noqa: PLC0415 - its models need the settings

    folder.mkdir()
    for name, text in reference.pages().items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
