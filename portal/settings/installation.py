"""The folders of the code: a clone, or a wheel in a virtual environment."""

from pathlib import Path

#: The folder of the packages: the root of a clone, or `site-packages`.
BASE_DIR = Path(__file__).resolve().parents[2]
# Only a wheel contains it (pyproject.toml).
_IN_WHEEL = BASE_DIR / "portal" / "assets"
IS_WHEEL = _IN_WHEEL.is_dir()
#: The folder of `templates` and `static`, and in production of `staticfiles`.
ASSETS = _IN_WHEEL if IS_WHEEL else BASE_DIR
#: The site that `make docs` builds; a folder that may be missing in a clone.
DOCUMENTATION = _IN_WHEEL / "documentation" if IS_WHEEL else BASE_DIR / "build" / "docs" / "html"
