"""Static file storages whose stylesheets are collected as one file each.

A stylesheet imports one file per component. A browser would fetch forty files, and only after it
has read the first; so collectstatic replaces each import with the file's content.
"""

import re
from collections.abc import Iterator
from typing import Any

from django.contrib.staticfiles.storage import StaticFilesStorage
from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

#: Collected files: name -> storage and path of the source.
Paths = dict[str, Any]
#: The stylesheets that pages load. Their imports are in the same folder or below it.
ENTRY_POINTS = ("css/site.css", "css/admin.css")
_IMPORT = re.compile(r'@import url\("(?P<name>[\w/]+\.css)"\)(?: layer\((?P<layer>\w+)\))?;')


class BundleMixin:
    """Replace the imports of each entry point before the files get their hashed names."""

    support_js_module_import_aggregation = True

    def post_process(
        self, paths: Paths, dry_run: bool = False, **options: Any
    ) -> Iterator[tuple[str, str | None, bool | Exception]]:
        if not dry_run:
            for name in ENTRY_POINTS:
                bundle = ContentFile(_bundle(name, paths).encode())
                self.delete(name)  # type: ignore[attr-defined]
                self.save(name, bundle)  # type: ignore[attr-defined]
                paths[name] = (self, name)
        if parent := getattr(super(), "post_process", None):
            yield from parent(paths, dry_run, **options)


def _bundle(name: str, paths: Paths) -> str:
    """The stylesheet `name` with its imports replaced by the imported files."""
    folder = name.rpartition("/")[0]

    def imported(match: re.Match[str]) -> str:
        text = _read(f"{folder}/{match['name']}", paths)
        return f"@layer {match['layer']} {{\n{text}}}" if match["layer"] else text

    return _IMPORT.sub(imported, _read(name, paths))


def _read(name: str, paths: Paths) -> str:
    storage, path = paths[name]
    with storage.open(path) as file:
        text: str = file.read().decode()
        return text


class BundledStorage(BundleMixin, StaticFilesStorage):
    """Plain names, for tests."""


class CompressedStorage(BundleMixin, CompressedManifestStaticFilesStorage):
    """Names with a hash of the content, cached for ever, and a compressed copy of each file."""
