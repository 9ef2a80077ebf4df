"""Reads the text of a card for editing, and writes a licence into its front matter."""

import re

from accounts.errors import InvalidValue
from weights.catalogue import front_matter
from weights.catalogue.cards import MAX_README_BYTES
from weights.publishing.models import File, Revision
from weights.storage import blob_storage
from weights.storage.models import Blob

PATH = "README.md"
#: An identifier of the SPDX list or the Hub; `other` needs a name and a link in the card itself.
LICENCE = re.compile(r"(?!other$)[A-Za-z0-9][A-Za-z0-9.+-]{0,59}")


class CardUnreadable(Exception):
    """The card cannot be edited here; the message says why. `is_waiting` if it soon can."""

    def __init__(self, reason: str, *, is_waiting: bool = False) -> None:
        super().__init__(reason)
        self.is_waiting = is_waiting


def read(head: Revision | None) -> str:
    """The card of a revision, or "". Raises CardUnreadable, and the errors of the store."""
    files = File.objects.filter(revision=head, path=PATH).select_related("blob")
    if (file := files.first()) is None:
        return ""
    if file.size > MAX_README_BYTES:
        raise CardUnreadable(f"It is larger than {MAX_README_BYTES // 1000} kB.")
    if file.blob.state == Blob.State.QUARANTINED:
        raise CardUnreadable(f"It is in quarantine: {file.blob.quarantine_reason}")
    if file.blob.state != Blob.State.VERIFIED:
        raise CardUnreadable("It is being verified.", is_waiting=True)
    store = blob_storage()
    content = store.excerpt(file.sha256, MAX_README_BYTES, file.blob.served_version(store))
    try:
        return content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise CardUnreadable("It is not a text in UTF-8.") from error


def checked(card: str) -> str:
    """The card, ending in a line break. Raises InvalidValue if it could not be displayed."""
    if problem := front_matter.split(card).problem:
        raise InvalidValue(f"The front matter could not be read: {problem}.")
    card = card.rstrip() + "\n"
    if (size := len(card.encode())) > MAX_README_BYTES:
        raise InvalidValue(f"A card has at most {MAX_README_BYTES:,} bytes, not {size:,}.")
    return card


def with_licence(card: str, licence: str) -> str:
    """The card with `license: …` in its front matter; InvalidValue if it states another one."""
    stated = front_matter.split(card).values.get("license")
    if not licence or stated == licence:
        return card
    if stated is not None:
        raise InvalidValue(f"The card states the licence {stated}; name it in one place.")
    line = f"license: {licence}\n"
    if card.startswith("---\n"):
        return f"---\n{line}{card[4:]}"
    return f"---\n{line}---\n\n{card}"
