"""The download script of a folder, from a template in POSIX sh."""

from functools import cache
from pathlib import Path

from weights.folder.contents import Folder


def download_script(folder: Folder) -> str:
    """A script for any POSIX shell with curl or wget.

    Each line of its table is SHA-256, size in bytes, the name as it stands in the address,
    and the path, with tabs between. Paths hold no control character, so a line is a line.
    """
    table = "\n".join(
        f"{entry.sha256}\t{entry.size}\t{entry.url.removeprefix(folder.address)}\t{entry.path}"
        for entry in folder.entries
    )
    notices = "\n".join(f"# {line}" for line in folder.notices())
    return (
        _template()
        .replace("@NOTICES@", notices)
        .replace("@REPOSITORY@", folder.repo_id)
        .replace("@COUNT@", str(len(folder.entries)))
        .replace("@ADDRESS@", folder.address)
        .replace("@TABLE@", table)
    )


@cache
def _template() -> str:
    return Path(__file__).with_name("download.sh").read_text(encoding="utf-8")
