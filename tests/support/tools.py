"""Find the external programs that some tests need."""

import os
import shutil
from pathlib import Path

_NAMES = {"chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")}
#: Environments of other packages than ours, which make installs; the tool is their Python.
_ENVIRONMENTS = {"loaders": Path(__file__).parents[2] / ".venv-loaders"}
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def find(tool: str) -> str | None:
    """The program's path, or None; the variable CHROMIUM overrides the browser's path."""
    if tool in _ENVIRONMENTS:
        python = _ENVIRONMENTS[tool] / "bin/python"
        return str(python) if (python.parents[1] / "stamp").exists() else None
    if tool == "chromium" and (named := os.environ.get("CHROMIUM")):
        return named
    for name in _NAMES.get(tool, (tool,)):
        if path := shutil.which(name, path=_PATH):
            return path
    return _playwright_browser() if tool == "chromium" else None


def _playwright_browser() -> str | None:
    """The browser that `playwright install chromium` installed, or None."""
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache/ms-playwright"))
    found = sorted(cache.glob("chromium-*/chrome-linux*/chrome"))
    return str(found[-1]) if found else None
