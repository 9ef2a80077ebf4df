"""The answer to `preupload`: how a client sends each file, and which files it can skip."""

import base64
import codecs
from collections.abc import Iterable
from typing import Any, NamedTuple

from accounts.errors import InvalidValue
from weights.catalogue import names
from weights.hub_api.publishing.ignore_rules import IgnoreRules
from weights.manifests import listing
from weights.publishing.models import File, Revision
from weights.storage.models import Blob
from weights.web import strict_json

#: Maximum files of one request, as on the Hub; characters of a sample, 512 bytes in base64.
MAX_FILES, MAX_SAMPLE = 256, 1024


class Announced(NamedTuple):
    """A file that a client is about to send; `sample` is its beginning."""

    path: str
    size: int
    sample: bytes

    @property
    def mode(self) -> str:
        """`lfs` or `regular`, by the rule of `listing.is_lfs` and the sample."""
        is_lfs = listing.is_lfs(self.path, self.size, is_text=_is_text(self.sample))
        return "lfs" if is_lfs else "regular"


def read(body: dict[str, Any]) -> list[Announced]:
    """The announced files. Raises InvalidValue, and InvalidName for a path."""
    files = body.get("files")
    if not isinstance(files, list) or not 0 < len(files) <= MAX_FILES:
        raise InvalidValue(f"announce 1 to {MAX_FILES} files at a time")
    return [_announced(file) for file in files]


def _announced(file: Any) -> Announced:
    if not isinstance(file, dict):
        raise InvalidValue("each file has a path, a size and a sample")
    path, size = strict_json.text(file, "path"), file.get("size")
    sample = strict_json.text(file, "sample")
    names.check_path(path)
    if type(size) is not int or size < 0:
        raise InvalidValue(f"the size of {path!r} must be a number of bytes")
    if len(sample) > MAX_SAMPLE:
        raise InvalidValue(f"the sample of {path!r} is longer than {MAX_SAMPLE} characters")
    try:
        return Announced(path, size, base64.b64decode(sample, validate=True))
    except ValueError as error:
        raise InvalidValue(f"the sample of {path!r} is not valid base64") from error


def answers(
    files: Iterable[Announced], head: Revision | None, rules: IgnoreRules
) -> list[dict[str, Any]]:
    """The answer for each file, with one query.

    `oid` is the content that the branch already has under this path, so that clients skip
    unchanged files. It is omitted for quarantined content.
    """
    announced = list(files)
    present: dict[str, str] = {}
    if head is not None:
        stored = File.objects.filter(revision=head, path__in=[file.path for file in announced])
        rows = stored.exclude(blob__state=Blob.State.QUARANTINED)
        for path, lfs, git_oid, sha256 in rows.values_list(
            "path", "lfs", "git_oid", "blob__sha256"
        ):
            present[path] = sha256 if lfs else git_oid
    return [_answer(file, present, ignored=rules.ignores(file.path)) for file in announced]


def _answer(file: Announced, present: dict[str, str], *, ignored: bool) -> dict[str, Any]:
    answer = {"path": file.path, "uploadMode": file.mode, "shouldIgnore": ignored}
    return answer | ({"oid": present[file.path]} if file.path in present else {})


def _is_text(sample: bytes) -> bool:
    """True for UTF-8 without NUL; the sample may end in the middle of a character."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return b"\0" not in sample
