"""The stylesheets: one file per page, ordered layers, two breakpoints, colours in one place."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from pytest_django import Settings

from portal.server import stylesheets

FOLDER = settings.BASE_DIR / "static" / "css"
SHEETS = {path.relative_to(FOLDER).as_posix(): path.read_text() for path in FOLDER.rglob("*.css")}


def _imports(name: str) -> set[str]:
    return set(re.findall(r'@import url\("([^"]+)"\)', SHEETS[name]))


@pytest.mark.parametrize(
    "storage_class", [stylesheets.BundledStorage, stylesheets.CompressedStorage]
)
def test_an_entry_point_is_collected_as_one_file(
    storage_class: type[stylesheets.BundleMixin], tmp_path: Path, settings: Settings
) -> None:
    settings.STATIC_ROOT = tmp_path
    storage = storage_class()
    paths = {
        path: (source, path)
        for finder in get_finders()
        for path, source in finder.list([])
        if path.startswith(("css/", "fonts/"))
    }
    for path, (source, _) in paths.items():
        with source.open(path) as file:
            storage.save(path, file)  # type: ignore[attr-defined]
    written = [(name, hashed) for name, hashed, _ in storage.post_process(dict(paths))]
    processed = {name: hashed for name, hashed in written if not str(hashed).endswith(".gz")}
    for entry in stylesheets.ENTRY_POINTS:
        collected = (tmp_path / (processed.get(entry) or entry)).read_text()
        assert "@import" not in collected
        assert "--paper: light-dark" in collected
        assert "@layer tokens {" in collected
    if processed:
        site = (tmp_path / str(processed["css/site.css"])).read_text()
        assert re.search(r'url\("\.\./fonts/[\w-]+\.[0-9a-f]{12}\.woff2"\)', site)


def test_the_order_of_layers_is_declared_once_and_every_component_has_one() -> None:
    declared = [name for name, text in SHEETS.items() if re.search(r"^@layer [\w, ]+;", text, re.M)]
    assert declared == ["site.css"]
    order = re.search(r"^@layer ([\w, ]+);", SHEETS["site.css"], re.M)
    assert order is not None
    used = re.findall(r"layer\((\w+)\)", SHEETS["site.css"])
    assert list(dict.fromkeys(used)) == order[1].split(", ")


def test_every_stylesheet_is_imported() -> None:
    alone = {*(entry.removeprefix("css/") for entry in stylesheets.ENTRY_POINTS), "api_docs.css"}
    assert set(SHEETS) - alone == _imports("site.css") | _imports("admin.css")


def test_media_queries_use_the_two_breakpoints_of_the_tokens() -> None:
    stated = set(re.findall(r"--(?:tablet|desktop): ([\d.]+rem);", SHEETS["tokens.css"]))
    widths = {
        width
        for text in SHEETS.values()
        for query in re.findall(r"@media ([^{]*width[^{]*)\{", text)
        for width in re.findall(r"[\d.]+\w+", query)
    }
    assert widths == stated
    assert len(stated) == 2


def test_colours_stand_in_the_tokens_alone() -> None:
    # Swagger's own pages have colours of their own, and a QR code is read on white.
    others = {
        name: text for name, text in SHEETS.items() if name not in {"tokens.css", "api_docs.css"}
    }
    found = {
        (name, colour)
        for name, text in others.items()
        for colour in re.findall(r"#[0-9a-f]{3,8}\b(?=[ ;,)])|light-dark\(|rgba?\(", text)
    }
    assert found == {("components/secret.css", "#ffffff")}
