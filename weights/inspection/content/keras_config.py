"""Keras configurations, which can contain code (Lambda layers) or name functions to import."""

import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from weights.inspection.formats.verdict import Refused

MAX_CONFIG_BYTES = 16 * 1024 * 1024
#: `zipfile` raises RuntimeError for an encrypted member.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError)
_CODE = {"Lambda", "__lambda__"}
#: Packages whose classes a configuration may name.
_PACKAGES = {"keras", "keras_hub", "keras_nlp", "keras_cv", "tf_keras"}
#: A Lambda layer in an HDF5 file, which contains the configuration as text.
LAMBDA = re.compile(rb'"class_name"\s*:\s*"(Lambda|__lambda__)"')


def check_archive(archive: zipfile.ZipFile) -> None:
    """Raises Refused if the archive has a Keras configuration that runs or imports code.

    Keras deserialises `config.json` before it looks for other members, so that name suffices.
    """
    if "config.json" not in archive.namelist():
        return
    try:
        with archive.open("config.json") as opened:
            raw = opened.read(MAX_CONFIG_BYTES + 1)
    except _UNREADABLE as error:
        raise Refused(f"its Keras configuration cannot be read: {error}") from error
    if len(raw) > MAX_CONFIG_BYTES:
        raise Refused(f"its Keras configuration has more than {MAX_CONFIG_BYTES} bytes")
    check(raw)


def refuse_code(document: Any) -> None:
    """Raises Refused if a JSON document contains a Lambda layer, at any depth."""
    if any(_is_code(entry) for entry in _entries(document)):
        raise Refused("its Keras configuration holds a Lambda layer, which runs code")


def _is_code(entry: dict[str, Any]) -> bool:
    class_name = entry.get("class_name")
    return isinstance(class_name, str) and class_name in _CODE


def check(raw: bytes) -> None:
    """Raises Refused if the configuration runs or imports code, or is not JSON."""
    try:
        config = json.loads(raw)
        refuse_code(config)
        for entry in _entries(config):
            _check_entry(entry)
    except (ValueError, RecursionError) as error:
        raise Refused(f"its Keras configuration is no JSON: {error}") from error


def _entries(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _check_entry(entry: dict[str, Any]) -> None:
    class_name, module = entry.get("class_name"), entry.get("module")
    if class_name is None or module is None:
        return
    if str(module).partition(".")[0] not in _PACKAGES:
        imported = f"{module}.{class_name}"[:120]
        raise Refused(f"its Keras configuration imports {imported}, which is not of Keras")
