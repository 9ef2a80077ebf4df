"""Renders a checkpoint's card: the README.md of its revision, or the catalogue's own text."""

import logging
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.utils.safestring import SafeString

from accounts.web.sanitize import one_line
from weights.catalogue import front_matter
from weights.catalogue.card_html.cache import Addresses, html_of
from weights.catalogue.models import Checkpoint
from weights.errors import BlobChanged, BlobMissing, StorageUnavailable
from weights.publishing.models import File, Revision
from weights.storage import blob_storage, excerpts
from weights.storage.models import Blob

log = logging.getLogger(__name__)

#: Maximum bytes of a README.md that is shown as a card.
MAX_README_BYTES = 512_000
_MAX_TAGS = 12
#: The level of a card's first heading, below the page's title and the card's own heading.
TOP = 3


@dataclass(frozen=True)
class Card:
    """The card as HTML, and the tags of its front matter."""

    html: SafeString
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Readme:
    """Cache key of a stored README.md: its content, not the row that references it."""

    sha256: str
    version: str
    blob: Blob = field(compare=False)


def checkpoint_card(
    checkpoint: Checkpoint, revision: Revision | None, readme: File | None, *, images: bool
) -> Card:
    """The revision's README.md if it is verified and readable, else the catalogue's text.

    `images` is True if the user may download the revision's images.
    """
    if (
        revision is None
        or readme is None
        or readme.size > MAX_README_BYTES
        or readme.blob.state != Blob.State.VERIFIED
    ):
        return _catalogue_card(checkpoint.card)
    page = f"/{checkpoint.repo_id}"
    addresses = Addresses(
        f"{page}/blob/{revision.sha}/", f"{page}/image/{revision.sha}/" if images else ""
    )
    try:
        version = readme.blob.served_version(blob_storage())
        front = _read(_Readme(readme.sha256, version, readme.blob))
    except (BlobMissing, BlobChanged, StorageUnavailable) as error:
        log.error("the card of %s cannot be read: %s", checkpoint, error)
        return _catalogue_card(checkpoint.card)
    return Card(html_of(front.body, addresses, TOP), _tags(front.values))


def _catalogue_card(text: str) -> Card:
    front = front_matter.split(text)
    return Card(html_of(front.body, Addresses(), TOP), _tags(front.values))


@lru_cache(maxsize=64)
def _read(readme: _Readme) -> front_matter.FrontMatter:
    content = excerpts.read(readme.blob, MAX_README_BYTES, blob_storage())
    return front_matter.split(content.decode("utf-8", "replace"))


def _tags(front: dict[str, Any]) -> tuple[str, ...]:
    """Short texts of the fields that the Hub shows as tags."""
    words: list[Any] = []
    for key in ("pipeline_tag", "library_name", "language", "tags"):
        value = front.get(key)
        words += value if isinstance(value, list) else [value]
    short = [word for word in words if isinstance(word, str) and 0 < len(word) <= 40]
    return tuple(dict.fromkeys(map(one_line, short)))[:_MAX_TAGS]
