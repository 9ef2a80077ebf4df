"""The folders of the code: a clone, or a wheel in a virtual environment."""

from pathlib import Path

#: The folder of the Python packages: the root of a clone, or `site-packages`.
BASE_DIR = Path(__file__).resolve().parents[2]
# Exists only in a wheel (pyproject.toml).
_IN_WHEEL = BASE_DIR / "portal" / "assets"
IS_WHEEL = _IN_WHEEL.is_dir()
#: The folder with `templates` and `static`, and in production `staticfiles`.
ASSETS = _IN_WHEEL if IS_WHEEL else BASE_DIR
#: The site that `make docs` builds; the folder may be missing in a clone.
DOCUMENTATION = _IN_WHEEL / "documentation" if IS_WHEEL else BASE_DIR / "build" / "docs" / "html"
