"""The lists of a folder, each in the format of one download tool."""

from collections.abc import Callable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from weights.delivery.folder.contents import Folder
from weights.delivery.folder.script import download_script
from weights.manifests import signatures
from weights.manifests.document import document_of

_METALINK = "urn:ietf:params:xml:ns:metalink"


@dataclass(frozen=True)
class ListKind:
    """One list: its name, media type, purpose and generator.

    `make` returns None if there is nothing to list.
    """

    name: str
    content_type: str
    purpose: str
    make: Callable[[Folder], str | None]


def manifest_json(folder: Folder) -> str:
    """The revision's manifest, the same for everyone."""
    return document_of(folder.revision).text


def signature(folder: Folder) -> str | None:
    """The signature by the newest trusted key."""
    found = signatures.signature_of(folder.revision)
    return found.bundle if found else None


def sha256sums(folder: Folder) -> str:
    """Input of `sha256sum -c`, which allows no comments; NOTICE.txt has the notices."""
    return "".join(_sum_line(entry.sha256, entry.path) for entry in folder.entries)


def md5sums(folder: Folder) -> str | None:
    """Input of `md5sum -c`, for comparison with lists published elsewhere, not for integrity."""
    listed = [entry for entry in folder.entries if entry.md5]
    return "".join(_sum_line(entry.md5, entry.path) for entry in listed) or None


def aria2_input(folder: Folder) -> str:
    """aria2's input file (aria2c -i): a URL, then the indented options of that download."""
    parts = [f"# {line}\n" for line in folder.notices()]
    for entry in folder.everything():
        parts.append(
            f"{entry.url}\n  out={entry.path}\n  checksum=sha-256={entry.sha256}\n"
            "  continue=true\n  check-integrity=true\n"
        )
    return "".join(parts)


def curl_config(folder: Folder) -> str:
    """curl's config file (curl -K), which resumes files, creates folders and fails on errors."""
    parts = [f"# {line}\n" for line in folder.notices()]
    parts.append('fail\nlocation\ncreate-dirs\nremote-time\nretry = 5\ncontinue-at = "-"\n')
    for entry in folder.everything():
        parts.append(f"url = {_quoted(entry.url)}\noutput = {_quoted(entry.path)}\n")
    return "".join(parts)


def metalink(folder: Folder) -> str:
    """Metalink 4 (RFC 5854): each file with size, SHA-256 and URL."""
    ET.register_namespace("", _METALINK)
    root = ET.Element(f"{{{_METALINK}}}metalink")
    for entry in folder.everything():
        file = ET.SubElement(root, f"{{{_METALINK}}}file", name=entry.path)
        _add(file, "copyright", folder.copyright())
        _add(file, "hash", entry.sha256, type="sha-256")
        _add(file, "size", str(entry.size))
        _add(file, "url", entry.url)
    ET.indent(root)
    body = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def licence(folder: Folder) -> str:
    """The licence text as it was accepted."""
    return folder.licence_text


def notice(folder: Folder) -> str:
    return folder.licence_files()[folder.name_for("NOTICE.txt")]


LISTS = (
    ListKind(
        "download.sh", "text/x-shellscript", "downloads, resumes and checks all", download_script
    ),
    ListKind(
        "manifest.json", "application/json", "every file with size and SHA-256", manifest_json
    ),
    ListKind("model.sig", "application/json", "for model_signing verify key", signature),
    ListKind("SHA256SUMS", "text/plain", "for sha256sum -c", sha256sums),
    ListKind("md5sums.txt", "text/plain", "for md5sum -c, as published", md5sums),
    ListKind("aria2.txt", "text/plain", "for aria2c -i", aria2_input),
    ListKind("metalink.xml", "application/metalink4+xml", "for aria2c -M", metalink),
    ListKind("curl.txt", "text/plain", "for curl -K", curl_config),
    ListKind("LICENCE.md", "text/plain", "the terms", licence),
    ListKind("NOTICE.txt", "text/plain", "the notice that must accompany every copy", notice),
)


def offered(folder: Folder) -> dict[str, ListKind]:
    """name -> list; a list is renamed if a file of the revision has its name."""
    absent = set() if any(entry.md5 for entry in folder.entries) else {"md5sums.txt"}
    if not folder.signed:
        absent.add("model.sig")
    return {folder.name_for(kind.name): kind for kind in LISTS if kind.name not in absent}


def _sum_line(digest: str, path: str) -> str:
    """One line of a coreutils checksum file; names never contain a backslash or line break."""
    return f"{digest}  {path}\n"


def _quoted(text: str) -> str:
    """A value in curl's config file: in double quotes, with backslashes and quotes escaped."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _add(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, f"{{{_METALINK}}}{tag}", attributes).text = text
