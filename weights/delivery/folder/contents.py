"""The files of a checkpoint link's revision, with their licence and notices."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from urllib.parse import quote

from accounts.web import sanitize
from weights.catalogue import licences
from weights.delivery.models import CheckpointLink
from weights.gate import rules
from weights.manifests import signatures
from weights.manifests.portal_files import portal_file_name
from weights.publishing.models import File, Revision
from weights.storage.transition_table import State


@dataclass(frozen=True)
class Entry:
    """One file: size in bytes, SHA-256 and MD5 in hex (MD5 empty if none was published)."""

    path: str
    size: int
    sha256: str
    md5: str
    url: str
    #: The state of a file that the gate refuses; None for other files.
    closed: State | None = None


@dataclass(frozen=True)
class Folder:
    """A revision under the URL of one link."""

    repo_id: str
    sha: str
    address: str
    expires_at: datetime
    entries: tuple[Entry, ...]
    licence_title: str
    licence_text: str
    attribution: str
    #: Empty if there is no licence text.
    terms_url: str
    revision: Revision
    signed: bool

    @property
    def total_bytes(self) -> int:
        return sum(entry.size for entry in self.entries)

    def listing(self, inside: str) -> tuple[list[str], list[tuple[str, Entry]]]:
        """Names directly below `inside` (empty, or ending with a slash): folders, then files.

        Each level has its own page, like a web server's folder listing, which rclone and
        `wget --recursive` can follow.
        """
        below = [
            (entry.path.removeprefix(inside), entry)
            for entry in self.entries
            if entry.path.startswith(inside)
        ]
        folders = sorted({name.partition("/")[0] for name, _ in below if "/" in name})
        return folders, [(name, entry) for name, entry in below if "/" not in name]

    @cached_property
    def _paths(self) -> set[str]:
        return {entry.path for entry in self.entries}

    def name_for(self, name: str) -> str:
        """The name of a list, changed if the revision has a file of that name."""
        return portal_file_name(name, self._paths)

    def licence_files(self) -> dict[str, str]:
        """name -> text of the licence and the notice, which accompany the files."""
        texts = {"LICENCE.md": self.licence_text, "NOTICE.txt": "\n".join(self.notices()) + "\n"}
        return {self.name_for(name): text for name, text in texts.items() if text}

    def everything(self) -> tuple[Entry, ...]:
        """The files, then the licence files, for the lists of download tools."""
        return (
            *self.entries,
            *(self._licence_file(*item) for item in self.licence_files().items()),
        )

    def _licence_file(self, name: str, text: str) -> Entry:
        content = text.encode()
        digest = sha256(content).hexdigest()
        return Entry(name, len(content), digest, "", self.address + name)

    def notices(self) -> list[str]:
        """Lines for the top of every list: the revision, and the notice that the licence requires.

        No line contains a line break or control character, whatever the database contains;
        otherwise `download.sh` would run the part of the comment after the break.
        """
        lines = [
            f"{self.repo_id}, revision {self.sha}",
            f"{len(self.entries)} files, {self.total_bytes} bytes",
            f"Licence: {', '.join(filter(None, (self.licence_title, self.terms_url)))}",
            *self.attribution.splitlines(),
        ]
        return [sanitize.log_line(line.strip()) for line in lines if line.strip()]

    def copyright(self) -> str:
        """The notice that the licence requires, on one line, or else its title."""
        required = [line.strip() for line in self.attribution.splitlines() if line.strip()]
        return sanitize.log_line(" ".join(required) or self.licence_title)


def _entry(file: File, address: str) -> Entry:
    closed = State(file.blob.state) if rules.blob(file.blob.state) else None
    url = address + quote(file.path)
    return Entry(file.path, file.size, file.sha256, file.md5, url, closed)


def folder_of(link: CheckpointLink, address: str) -> Folder:
    """The folder of a live link; `address` ends with a slash."""
    assert link.revision is not None  # only issued links have a folder
    assert link.expires_at is not None
    checkpoint = link.checkpoint
    text = licences.text_of(checkpoint)
    accepted = link.grant.licence_version if link.grant else text.in_force() if text else None
    text = accepted.licence if accepted else text
    stated = licences.of_text(text) if text else licences.of_checkpoint(checkpoint, link.revision)
    files = File.objects.filter(revision=link.revision).select_related("blob")
    return Folder(
        repo_id=checkpoint.repo_id,
        sha=link.revision.sha,
        address=address,
        expires_at=link.expires_at,
        entries=tuple(_entry(file, address) for file in files),
        licence_title=stated.title if stated else licences.NOT_STATED,
        licence_text=accepted.text if accepted else "",
        attribution=text.attribution if text else "",
        terms_url=stated.absolute_url if stated else "",
        revision=link.revision,
        signed=signatures.signature_of(link.revision) is not None,
    )
