"""The parser of PyTorch files in the zip layout.

A zip file describes each member twice, in a local header and in the directory, and readers
differ in which one they trust. A file is refused if the two differ or if bytes belong to no
member.
"""

import io
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from weights.inspection.formats import pickles
from weights.inspection.formats.import_check import Findings
from weights.inspection.formats.source import Source, UnpackedSource, read_exactly
from weights.inspection.formats.verdict import Refused, Verdict

KIND = "PyTorch zip"
_MAX_DIRECTORY_BYTES = 16 * 1024 * 1024
_MAX_SMALL_BYTES = 4096
_END, _END64, _LOCATOR = (struct.Struct(f) for f in ("<4s4H2LH", "<4sQ2H2L4Q", "<4sLQL"))
_ENTRY, _LOCAL = struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s5H3L2H")
_FULL = 0xFFFFFFFF
#: Ids of the extra fields for zip64 sizes and for PyTorch's padding.
_EXTRAS = {0x0001, 0x4246}
_STREAMED, _ENCRYPTED = 0x0008, 0x2041
_STORAGE = re.compile(r"data/[0-9]{1,12}")
#: Prefix of a storage's class -> safetensors' name of the dtype, and bytes per element.
_STORAGE_TYPES = {
    **{"Double": ("F64", 8), "Float": ("F32", 4), "Half": ("F16", 2), "BFloat16": ("BF16", 2)},
    **{"Long": ("I64", 8), "Int": ("I32", 4), "Short": ("I16", 2), "Char": ("I8", 1)},
    **{"Byte": ("U8", 1), "Bool": ("BOOL", 1)},
}
_SMALL = {
    *("byteorder", "version", ".format_version", ".storage_alignment", ".data/serialization_id")
}


@dataclass(frozen=True)
class Member:
    """A member as described in the directory; size and offset in bytes."""

    name: bytes
    flags: int
    crc: int
    size: int
    offset: int

    @property
    def path(self) -> str:
        return self.name.decode("utf-8")


def inspect(source: Source, findings: Findings) -> Verdict:
    """Records the pickles' imports; raises Refused unless the archive has only weights."""
    members, end = _directory(source)
    starts = _starts(source, members, end)
    by_path = _by_path(members)
    for path, member in by_path.items():
        if path.endswith(".pkl"):  # needless pickles are refused below, with their imports
            stream = io.BytesIO(_content(source, path, member, starts[member.name]))
            pickles.read_pickle(stream, findings)
    if "data.pkl" not in by_path:
        raise Refused("it holds no data.pkl")
    _require_known(by_path)
    count = sum(1 for path in by_path if _STORAGE.fullmatch(path))
    elements = _elements(findings, by_path)
    return Verdict(KIND, "inspected", tensors=count, elements=elements)


def _elements(findings: Findings, by_path: dict[str, Member]) -> dict[str, int]:
    """Elements of the storages by dtype; empty if one does not have the size of its member."""
    counts: dict[str, int] = {}
    for key, (storage, count) in findings.storages.items():
        dtype, size = _STORAGE_TYPES.get(storage, ("", 0))
        member = by_path.get(f"data/{key}")
        if member is None or not size or member.size != count * size:
            return {}
        counts[dtype] = counts.get(dtype, 0) + count
    return counts


def _content(source: Source, path: str, member: Member, start: int) -> bytes:
    if member.size > pickles.MAX_BYTES:
        raise Refused(
            f"its {path[:80]} has {member.size} bytes; at most {pickles.MAX_BYTES} are read"
        )
    content = read_exactly(source, start, member.size, path[:80])
    if zlib.crc32(content) != member.crc:
        raise Refused(f"the checksum of its {path[:80]} is wrong")
    return content


def is_zip(source: Source) -> bool:
    """True if the file begins or ends like a zip; some readers check only the end."""
    if source.read(0, 4)[:2] == b"PK" and source.read(2, 2) in {b"\3\4", b"\5\6", b"\7\x08"}:
        return True
    if isinstance(source, UnpackedSource) and not source.is_small:
        return False
    return source.size >= _END.size and source.read(source.size - _END.size, 4) == b"PK\5\6"


# -- the directory ------------------------------------------------------------------------


def _directory(source: Source) -> tuple[list[Member], int]:
    """The members by offset, and the offset of the directory."""
    count, size, offset = locate_directory(source)
    members = list(_entries(read_exactly(source, offset, size, "the directory")))
    if len(members) != count:
        raise Refused(f"its directory tells {len(members)} members and counts {count}")
    return sorted(members, key=lambda member: member.offset), offset


def locate_directory(source: Source, comment_length: int = 0) -> tuple[int, int, int]:
    """Number of members, size and offset of the directory, if all readers find the same one.

    Raises Refused if the file has a prefix that its offsets do not count, or a comment of another
    length.
    """
    at = source.size - _END.size - comment_length
    if at < 0:
        raise Refused("it is too short for a zip file")
    signature, disk, start_disk, disk_count, count, size, offset, comment = _END.unpack(
        read_exactly(source, at, _END.size, "the end of the directory")
    )
    if signature != b"PK\5\6" or comment != comment_length:
        without = "" if comment_length else " without a comment"
        raise Refused(f"it does not end as a zip file{without} does")
    if disk or start_disk or disk_count != count:
        raise Refused("it is a zip file of several parts")
    count, size, offset, at = _zip64_end(source, at, (count, size, offset))
    if size > _MAX_DIRECTORY_BYTES:
        raise Refused(f"its directory has {size} bytes; at most {_MAX_DIRECTORY_BYTES} are read")
    if offset + size != at:
        raise Refused("its directory does not stand right before its end")
    return count, size, offset


def _zip64_end(source: Source, at: int, values: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Count, size and offset, from the zip64 record if there is one, and where the end begins."""
    place = at - _LOCATOR.size
    if place < 0 or source.read(place, 4) != b"PK\6\7":
        if values[0] == 0xFFFF or _FULL in values[1:]:
            raise Refused("the record of its large sizes is missing")
        return *values, at
    _, disk, end, disks = _LOCATOR.unpack(read_exactly(source, place, _LOCATOR.size, "zip64"))
    if disk or disks > 1 or end + _END64.size != place:
        raise Refused("the record of its large sizes is not where it belongs")
    signature, length, _, _, disk, start, disk_count, count, size, offset = _END64.unpack(
        read_exactly(source, end, _END64.size, "zip64")
    )
    if signature != b"PK\6\6" or length != _END64.size - 12 or disk or start or disk_count != count:
        raise Refused("the record of its large sizes is damaged")
    large = (count, size, offset)
    for small, value, full in zip(values, large, (0xFFFF, _FULL, _FULL), strict=True):
        if small not in {value, full}:
            raise Refused("its two ends tell different directories")
    return *large, end


def _entries(raw: bytes) -> Iterator[Member]:
    at = 0
    while at < len(raw):
        if len(raw) - at < _ENTRY.size:
            raise Refused("its directory is cut off")
        signature, _, _, flags, method, _, _, crc, packed, size, *lengths, _, _, offset = (
            _ENTRY.unpack_from(raw, at)
        )
        name_length, extra_length, comment, disk = lengths
        name_at = at + _ENTRY.size
        extra_at = name_at + name_length
        at = extra_at + extra_length + comment
        if signature != b"PK\1\2" or at > len(raw) or comment or disk:
            raise Refused("its directory is damaged")
        if method or flags & _ENCRYPTED:
            raise Refused("a member is compressed or encrypted")
        extra = raw[extra_at : extra_at + extra_length]
        size, packed, offset = _sizes(extra, [size, packed, offset])
        if size != packed:
            raise Refused("a stored member has two sizes")
        yield Member(raw[name_at:extra_at], flags, crc, size, offset)


def _sizes(extra: bytes, values: list[int]) -> list[int]:
    """The values, or those of the zip64 extra field if they are too large."""
    wide = _zip64_extra(extra)
    sizes = []
    for value in values:
        if value == _FULL:
            if len(wide) < 8:
                raise Refused("a member's large size is missing")
            (value,) = struct.unpack_from("<Q", wide)
            wide = wide[8:]
        sizes.append(value)
    return sizes


def _zip64_extra(extra: bytes) -> bytes:
    """The content of the zip64 extra field, or b""."""
    fields = []
    at = 0
    while at < len(extra):
        if len(extra) - at < 4:
            raise Refused("a member's extra field is damaged")
        kind, length = struct.unpack_from("<2H", extra, at)
        at += 4 + length
        if at > len(extra):
            raise Refused("a member's extra field is damaged")
        if kind not in _EXTRAS:  # one of them holds another name, which some readers use
            raise Refused("a member has an extra field that no weights need")
        if kind == 1:
            fields.append(extra[at - length : at])
    if len(fields) > 1:
        raise Refused("a member tells its large sizes twice")
    return fields[0] if fields else b""


# -- the members --------------------------------------------------------------------------


def _starts(source: Source, members: list[Member], end: int) -> dict[bytes, int]:
    """The offset of each member's content; refuses gaps and overlaps up to the directory."""
    at = 0
    starts: dict[bytes, int] = {}
    for member in members:
        if member.offset != at:
            where = "does not begin with its first member" if not starts else "has gaps or overlaps"
            raise Refused(f"it {where}")
        start = _content_start(source, member)
        starts[member.name] = start
        at = start + member.size
        if at > end:
            raise Refused("a member reaches into the directory")
        if member.flags & _STREAMED:
            at += _descriptor(source, member, at)
    if at != end:
        raise Refused("bytes stand between its last member and its directory")
    return starts


def _content_start(source: Source, member: Member) -> int:
    """The offset of the content; refuses a local header that differs from the directory."""
    signature, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(
        read_exactly(source, member.offset, _LOCAL.size, "a member's header")
    )
    rest = read_exactly(
        source, member.offset + _LOCAL.size, name_length + extra_length, "a member's header"
    )
    size, packed = _sizes(rest[name_length:], [size, packed])
    later = {0} if flags & _STREAMED else set()
    same = (
        signature == b"PK\3\4"
        and (flags, method) == (member.flags, 0)
        and rest[:name_length] == member.name
        and crc in {member.crc} | later
        and size in {member.size} | later
        and packed in {member.size} | later
    )
    if not same:
        raise Refused("a member's header and the directory differ")
    return member.offset + _LOCAL.size + len(rest)


def _descriptor(source: Source, member: Member, at: int) -> int:
    """The length of the data descriptor that streaming writers append to the content."""
    raw = source.read(at, 24)
    for form in ("<4s3L", "<4sL2Q"):
        length = struct.calcsize(form)
        if len(raw) >= length:
            descriptor = struct.unpack_from(form, raw)
            if descriptor == (b"PK\7\x08", member.crc, member.size, member.size):
                return length
    raise Refused("what follows a member differs from the directory")


def _by_path(members: list[Member]) -> dict[str, Member]:
    """The members by their path below the single top folder."""
    by_path = {}
    tops = set()
    for member in members:
        try:
            path = member.path
        except UnicodeDecodeError as error:
            raise Refused("a member's name is no UTF-8") from error
        top, _, below = path.partition("/")
        parts = path.split("/")
        if not path.isprintable() or "\\" in path or not below or {"", ".", ".."} & set(parts):
            raise Refused(f"the member name {path[:80]!r} is no plain path below one folder")
        tops.add(top)
        by_path[below] = member
    folded = {member.path.casefold() for member in members}
    if len(folded) != len(members) or len(by_path) != len(members):
        raise Refused("two members have the same name")
    if len(tops) > 1:
        raise Refused("its members stand in several top folders")
    return by_path


def _require_known(by_path: dict[str, Member]) -> None:
    for path, member in by_path.items():
        if path == "data.pkl" or _STORAGE.fullmatch(path):
            continue
        if path not in _SMALL:
            raise Refused(f"it holds {path[:80]!r}, which no weights need")
        if member.size > _MAX_SMALL_BYTES:
            raise Refused(f"its {path} is too large")
