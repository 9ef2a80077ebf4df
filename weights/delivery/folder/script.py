"""The download script of a folder, from a POSIX sh template."""

import re
from functools import cache
from hashlib import sha256
from pathlib import Path

from weights.delivery.folder.contents import Folder


def download_script(folder: Folder) -> str:
    """A script for any POSIX shell with curl or wget.

    Each line of its table is SHA-256, size in bytes, the name as in the URL,
    and the path, separated by tabs. Paths contain no control characters, so each is one line.
    """
    table = "\n".join(
        f"{entry.sha256}\t{entry.size}\t{entry.url.removeprefix(folder.address)}\t{entry.path}"
        for entry in folder.entries
    )
    facts = {
        "NOTICES": "\n".join(f"# {line}" for line in folder.notices()),
        "REPOSITORY": folder.repo_id,
        "COUNT": str(len(folder.entries)),
        "ADDRESS": folder.address,
        "TABLE": table,
        "PAPERS": "\n".join(_written(name, text) for name, text in folder.licence_files().items()),
    }
    # In one pass, so that placeholders in a name or text are not replaced.
    return re.sub("@([A-Z]+)@", lambda place: facts[place[1]], _template())


def _written(name: str, text: str) -> str:
    """Commands that write a text next to the files; the end marker cannot occur in it."""
    end = f"END_{sha256(text.encode()).hexdigest()[:24]}"
    return f"cat >\"$OUT/{name}\" <<'{end}' || exit 2\n{text.removesuffix(chr(10))}\n{end}"


@cache
def _template() -> str:
    return Path(__file__).with_name("download.sh").read_text(encoding="utf-8")
