"""Validates names of repositories, refs and files.

Some rules are those that the Hub's clients enforce before they send a request; the others keep
URLs unambiguous.
"""

import re
import unicodedata
from collections.abc import Iterable

from accounts.web.sanitize import has_hidden
from weights.errors import InvalidName

#: First segments of the portal's own URLs, and words that the Hub's clients take for a repository
#: type. An organisation with such a name would be unreachable.
RESERVED_ORGS = {
    *("_components", "accounts", "access", "admin", "api", "applications", "apply", "d", "f"),
    *("docs", "my-checkpoints"),
    *("favicon.ico", "healthz", "keys", "licences", "logbook", "metrics", "models", "oauth"),
    *("readyz", "robots.txt", "settings", "static", "transparency", "privacy", "datasets"),
    *("spaces", "findings", "report", "recalls", "tiers", "will-it-run", "footprint", "openness"),
    *("v1", "v2"),
}
MAX_REF_LENGTH = 200
MAX_PATH_BYTES = 1024
#: File systems refuse longer names of a file or folder.
MAX_PART_BYTES = 255

_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?")
_COMMIT = re.compile(r"[0-9a-f]{40}", re.IGNORECASE)
_REF_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)")


def split_repo_id(repo_id: str, *, also_reserved: Iterable[str] = ()) -> tuple[str, str]:
    """Returns the organisation and name of `org/name`; raises InvalidName."""
    org, slash, name = repo_id.partition("/")
    if not slash or "/" in name:
        raise InvalidName(f"{repo_id!r} is not a repository name; write it as ORG/NAME")
    for part in (org, name):
        _check_part(repo_id, part)
    if org.lower() in RESERVED_ORGS | {word.lower() for word in also_reserved}:
        raise InvalidName(f"{org!r} is a path of the portal; choose another organisation")
    return org, name


def _check_part(repo_id: str, part: str) -> None:
    if not _PART.fullmatch(part) or "--" in part or ".." in part:
        raise InvalidName(
            f"{repo_id!r} is not a repository name; each part takes 1 to 96 letters, digits,"
            " '_', '.' and '-', neither begins nor ends with '.' or '-', and has no '--' or '..'"
        )
    if part.lower().endswith(".git"):
        raise InvalidName(f"{repo_id!r} is not a repository name; it must not end in '.git'")


def check_ref(name: str) -> None:
    """Raises InvalidName for a branch or tag that git rejects or that looks like a commit id."""
    if not name or len(name) > MAX_REF_LENGTH:
        raise InvalidName(
            f"a branch or tag has 1 to {MAX_REF_LENGTH} characters; {len(name)} given"
        )
    bad_ends = name[0] in "-./" or name[-1] in "./"
    if bad_ends or _REF_FORBIDDEN.search(name) or name in {"@", "HEAD"}:
        raise InvalidName(f"{name!r} is not a branch or tag name that git would accept")
    if _COMMIT.fullmatch(name) or name.startswith("refs/"):
        raise InvalidName(f"{name!r} looks like a commit id or a full ref; choose another name")
    _check_text(name)


def check_path(path: str) -> None:
    """Raises InvalidName for the path of a new file that clients cannot request or store."""
    check_stored_path(path)
    for part in path.split("/"):
        if len(part.encode()) > MAX_PART_BYTES:
            raise InvalidName(
                f"{path[:60]!r}… has a part of {len(part.encode())} bytes, but file systems allow"
                f" at most {MAX_PART_BYTES}; shorten the name"
            )
        # The Hub's clients refuse such a name on every system, and so the whole download.
        if part[1:2] == ":":
            raise InvalidName(f"{path!r} has a part that names a Windows drive; rename it")


def check_stored_path(path: str) -> None:
    """Raises InvalidName for a file path that has no single spelling in a URL."""
    _check_text(path)
    if len(path.encode()) > MAX_PATH_BYTES:
        raise InvalidName(f"{path[:60]!r}… is longer than {MAX_PATH_BYTES} bytes; shorten the name")
    if "\\" in path:
        raise InvalidName(f"{path!r} contains a backslash; rename the file")
    if any(segment in {"", ".", ".."} for segment in path.split("/")):
        raise InvalidName(f"{path!r} has an empty, '.' or '..' part; use the plain path")
    # Git runs programs that `.git/config` names; the Hub's clients store state in their folder.
    folders = f"/{path.lower()}/"
    if "/.git/" in folders or folders.startswith("/.cache/huggingface/"):
        raise InvalidName(
            f"{path!r} is inside a folder that git or the Hub's clients use; leave it out"
        )


def _check_text(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InvalidName(f"{name!r} is not valid UTF-8; rename it") from error
    if has_hidden(name):
        raise InvalidName(f"{name!r} contains a control or invisible character; rename it")
    if not unicodedata.is_normalized("NFC", name):
        normal = unicodedata.normalize("NFC", name)
        raise InvalidName(f"{name!r} is not in Unicode form NFC; rename it to {normal!r}")
