"""Metadata of the wheel: the version from CHANGELOG.md, the dependencies from requirements.in."""

import re
import subprocess
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_RELEASE = re.compile(r"^## \[(\d+\.\d+\.\d+)\]", flags=re.MULTILINE)


class Metadata(MetadataHookInterface):
    """Sets the dynamic fields of pyproject.toml."""

    def update(self, metadata: dict[str, Any]) -> None:
        metadata["version"] = version(Path(self.root))
        lines = (Path(self.root) / "requirements.in").read_text(encoding="utf-8").splitlines()
        needed = [line.partition("#")[0].strip() for line in lines]
        metadata["dependencies"] = [line for line in needed if line]


def version(root: Path) -> str:
    """The newest release of CHANGELOG.md, as 1.2.3; after it 1.2.3.post and the count of commits.

    Without git the count is 0. Raises ValueError if the file names no release.
    """
    unreleased, release, _ = _RELEASE.split((root / "CHANGELOG.md").read_text(), maxsplit=1)
    if "\n- " not in unreleased:
        return release
    count = ["git", "-C", str(root), "rev-list", "--count", "HEAD"]
    done = subprocess.run(count, capture_output=True, text=True, check=False)
    return f"{release}.post{done.stdout.strip() or 0}"
