"""Zip archives, located from their end like Python's `zipfile`, so also after other data.

Loaders open their members: numpy the arrays of `.npz`, pandas a single pickle, Keras a
configuration, PyTorch pickles and tensors.
"""

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator

from weights.inspection.content import keras_config
from weights.inspection.content.parts import InspectPart, Part, summary
from weights.inspection.formats import torch_zip
from weights.inspection.formats.import_check import Findings
from weights.inspection.formats.source import Source, SourceStream, UnpackedSource, Unreadable
from weights.inspection.formats.verdict import Refused, Verdict

KIND = "zip archive"
MAX_MEMBERS = 2000
_SIGNATURES = (b"PK\3\4", b"PK\5\6", b"PK\7\x08")
#: The minimum that `zipfile` reads at a time.
_CHUNK = 4096
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_FAILURES = (zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError)
_ZSTANDARD = 93
_ENCRYPTED = 0x1
#: Members that identify an archive as PyTorch's, whatever the file's name.
_PYTORCH = {"data.pkl", "constants.pkl"}


def inspect(source: Source, findings: Findings, inspect_part: InspectPart) -> Verdict | None:
    """The verdict on a zip archive; None if the file is not one."""
    if isinstance(source, UnpackedSource) and not source.is_small:
        return None
    archive = _open(source)
    if archive is None:
        return None
    _require_one_directory(source, archive)
    members = [member for member in archive.infolist() if not member.is_dir()]
    if not members:
        return None
    if len(members) > MAX_MEMBERS:
        raise Refused(f"its zip archive has {len(members)} members; at most {MAX_MEMBERS} are read")
    if any(member.filename.rpartition("/")[2] in _PYTORCH for member in members):
        return torch_zip.inspect(source, findings)
    verdicts = [_member(archive, member, inspect_part) for member in members]
    keras_config.check_archive(archive)
    is_plain = source.read(0, 4) == _SIGNATURES[0] and not archive.comment
    return summary(KIND, verdicts, is_complete=is_plain)


def _open(source: Source) -> zipfile.ZipFile | None:
    """Raises Refused for a file that begins like an archive but cannot be opened as one."""
    stream = io.BufferedReader(SourceStream(source, 0, source.size))
    try:
        return zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, NotImplementedError, *_FAILURES) as error:
        if source.read(0, 4) in _SIGNATURES:
            raise Refused(f"it begins as a zip archive and cannot be read: {error}") from error
        return None


def _require_one_directory(source: Source, archive: zipfile.ZipFile) -> None:
    """Raises Refused if other readers might find a different directory from `zipfile`'s."""
    try:
        torch_zip.locate_directory(source, len(archive.comment))
    except Refused as refused:
        raise Refused(f"a zip archive with a prefix, or one read in two ways: {refused}") from None


def _member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, inspect_part: InspectPart
) -> Verdict:
    if member.compress_type == _ZSTANDARD:
        raise Refused("a member of its zip archive is compressed by Zstandard")
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
        return Verdict("unknown", "not_inspected", "encrypted or of an unknown compression")
    content = UnpackedSource(lambda: _content(archive, member), member.file_size)
    return inspect_part(Part(content, member.filename))


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(member) as opened:
            while part := opened.read(_CHUNK):
                yield part
    except zipfile.BadZipFile as error:
        raise Refused(f"a member of its zip archive is damaged: {error}") from error
    except _FAILURES as error:
        raise Unreadable from error
