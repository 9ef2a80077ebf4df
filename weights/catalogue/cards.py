"""A checkpoint's card: what the publisher wrote in README.md, or the catalogue's own text.

Cards are content: a text is parsed once and remembered under its hash. Rights are never
remembered here.
"""

import logging
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.utils.safestring import SafeString

from accounts.web.markdown import to_html
from accounts.web.sanitize import one_line
from weights.catalogue import front_matter
from weights.catalogue.models import Checkpoint
from weights.errors import BlobChanged, BlobMissing, StorageUnavailable
from weights.publishing.models import File, Revision
from weights.storage import blob_storage, excerpts
from weights.storage.models import Blob

log = logging.getLogger(__name__)

#: Bytes of a README.md that is still shown as a card.
LARGEST = 512_000
_TAGS_MOST = 12


@dataclass(frozen=True)
class Card:
    """The card as HTML, and the tags of its front matter."""

    html: SafeString
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Readme:
    """A text as it is remembered: by its hash, and not by the row that leads to it."""

    sha256: str
    version: str
    blob: Blob = field(compare=False)


def of_checkpoint(checkpoint: Checkpoint, revision: Revision | None, readme: File | None) -> Card:
    """The revision's README.md where there is a readable one, else the catalogue's text."""
    if revision is None or readme is None:
        return _parsed(checkpoint.card, "")
    if readme.size > LARGEST or readme.blob.state != Blob.State.VERIFIED:
        return _parsed(checkpoint.card, "")
    base = f"/{checkpoint.repo_id}/blob/{revision.sha}/"
    try:
        version = readme.blob.served_version(blob_storage())
        return _stored(_Readme(readme.sha256, version, readme.blob), base)
    except (BlobMissing, BlobChanged, StorageUnavailable) as error:
        log.error("the card of %s cannot be read: %s", checkpoint, error)
        return _parsed(checkpoint.card, "")


@lru_cache(maxsize=256)
def _stored(readme: _Readme, base: str) -> Card:
    text = excerpts.read(readme.blob, LARGEST, blob_storage()).decode("utf-8", "replace")
    return parse(text, base)


@lru_cache(maxsize=256)
def _parsed(text: str, base: str) -> Card:
    return parse(text, base)


def parse(text: str, base: str) -> Card:
    """Split off the front matter and render the rest; relative links lead below `base`."""
    front = front_matter.split(text)
    return Card(to_html(front.body, top=3, relative_to=base), _tags(front.values))


def _tags(front: dict[str, Any]) -> tuple[str, ...]:
    """Short texts of the keys that the Hub shows as tags."""
    words: list[Any] = []
    for key in ("pipeline_tag", "library_name", "language", "tags"):
        value = front.get(key)
        words += value if isinstance(value, list) else [value]
    short = [word for word in words if isinstance(word, str) and 0 < len(word) <= 40]
    return tuple(dict.fromkeys(map(one_line, short)))[:_TAGS_MOST]
