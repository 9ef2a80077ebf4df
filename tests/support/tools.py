"""Find the external programs that some tests need."""

import os
import shutil
from pathlib import Path

_NAMES = {"chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")}
_ROOT = Path(__file__).parents[2]
#: Environments for other packages, installed by make, with the program to run there.
ENVIRONMENTS = {name: _ROOT / f".venv-{name}" for name in ("loaders", "javascript", "helm")}
#: The Nu HTML checker, a Java program.
_CHECKER = ENVIRONMENTS["javascript"] / "node_modules/vnu-jar/build/dist/vnu.jar"
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def find(tool: str) -> str | None:
    """The program's path, or None; the variable CHROMIUM overrides the browser's path."""
    if tool in ENVIRONMENTS:
        if not (ENVIRONMENTS[tool] / "stamp").exists():
            return None
        return find("node") if tool == "javascript" else str(ENVIRONMENTS[tool] / "bin/python")
    if tool == "vnu":
        return str(_CHECKER) if _CHECKER.exists() and find("java") else None
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
