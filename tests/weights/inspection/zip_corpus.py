"""PyTorch zip files by name: those that writers create, and those of an attacker."""

import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

from tests.weights.inspection import pickle_corpus
from weights.inspection.formats import pickles


@dataclass
class Part:
    """A member with two descriptions that can differ: `there` before it, `here` in the end."""

    name: str | bytes
    content: bytes = b""
    flags: int = 0
    method: int = 0
    pad: int = 0
    there: dict[str, Any] = field(default_factory=dict)
    here: dict[str, Any] = field(default_factory=dict)
    wide: bool = False
    tail: bytes | None = None
    offset: int = 0

    @property
    def path(self) -> bytes:
        return self.name.encode() if isinstance(self.name, str) else self.name


def _facts(part: Part, changes: dict[str, Any]) -> dict[str, Any]:
    size = len(part.content)
    facts = {"flags": part.flags, "method": part.method, "crc": zlib.crc32(part.content)}
    return facts | {"packed": size, "size": size, "name": part.path, "extra": b""} | changes


def _padding(length: int) -> bytes:
    """The extra field by which PyTorch moves its tensors to round places."""
    return b"" if not length else b"FB" + struct.pack("<H", length) + b"Z" * length


def _local(part: Part) -> bytes:
    streamed = part.flags & 8 and not part.there
    changes = {"crc": 0, "packed": 0, "size": 0} if streamed else part.there
    f = _facts(part, {"extra": _padding(part.pad)} | changes)
    fixed = struct.pack(
        *("<4s5H3L2H", b"PK\3\4", 45, f["flags"], f["method"], 0, 0x21, f["crc"]),
        *(f["packed"], f["size"], len(f["name"]), len(f["extra"])),
    )
    return bytes(fixed + f["name"] + f["extra"])


def _entry(part: Part) -> bytes:
    f = _facts(part, {"offset": part.offset} | part.here)
    if part.wide:
        f["extra"] = struct.pack("<2H3Q", 1, 24, f["size"], f["packed"], f["offset"])
        f |= {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF, "offset": 0xFFFFFFFF}
    fixed = struct.pack(
        *("<4s6H3L5H2L", b"PK\1\2", 45, 45, f["flags"], f["method"], 0, 0x21, f["crc"]),
        *(f["packed"], f["size"], len(f["name"]), len(f["extra"]), len(f.get("comment", b""))),
        *(f.get("disk", 0), 0, 0, f["offset"]),
    )
    return bytes(fixed + f["name"] + f["extra"] + f.get("comment", b""))


def _tail(part: Part) -> bytes:
    if part.tail is not None or not part.flags & 8:
        return part.tail or b""
    size = len(part.content)
    return struct.pack("<4s3L", b"PK\7\x08", zlib.crc32(part.content), size, size)


def packed(
    parts: list[Part], *, large: str = "", before: bytes = b"", between: bytes = b"", **end: Any
) -> bytes:
    """The members, the directory and its end; `large` adds a zip64 end, complete or repeated."""
    body: bytes = before
    for part in parts:
        part.offset = len(body)
        body += _local(part) + part.content + _tail(part)
    body += between
    start = end.pop("start", len(body))
    directory = b"".join(map(_entry, parts))
    count = end.pop("count", len(parts))
    size = end.pop("size", len(directory))
    body += directory
    if large:
        at = len(body)
        body += struct.pack(
            *("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start),
        ) + struct.pack("<4sLQL", b"PK\6\7", 0, end.pop("end64", at), 1)
        if large == "full":
            count, size, start = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF
        if large == "other":
            start += 1
    comment: bytes = end.pop("comment", b"")
    disk = end.pop("disk", 0)
    return (
        body
        + struct.pack("<4s4H2LH", b"PK\5\6", disk, disk, count, count, size, start, len(comment))
        + comment
        + bytes(end.pop("behind", b""))
    )


def pt(count: int = 1, top: str = "archive", **every: Any) -> list[Part]:
    """The members of a complete file with this number of tensors."""
    parts = [Part(f"{top}/data.pkl", pickle_corpus.state(count), **every)]
    parts.append(Part(f"{top}/byteorder", b"little", **every))
    parts += [Part(f"{top}/data/{n}", bytes(8), **every) for n in range(count)]
    return [*parts, Part(f"{top}/version", b"3\n", **every)]


def benign() -> dict[str, bytes]:
    found = {f"{count} tensors": packed(pt(count)) for count in (0, 1, 2, 3, 30)}
    tops = ("archive", "model", "a b", "größe", "checkpoint_last-model_part-0-shard0", "x" * 100)
    found |= {f"in the folder {top[:10]}": packed(pt(top=top)) for top in tops}
    for count in (0, 1, 5, 12):
        found |= {
            f"{count} streamed": packed(pt(count, flags=0x808)),
            f"{count} padded": packed(pt(count, pad=60)),
            f"{count} as PyTorch does": packed(pt(count, flags=0x808, pad=59), large="both"),
            f"{count} with a large end": packed(pt(count), large="full"),
            f"{count} with both ends": packed(pt(count), large="both"),
            f"{count} with large sizes": packed(pt(count, wide=True), large="full"),
        }
    for small in (".format_version", ".storage_alignment", ".data/serialization_id"):
        found[f"with {small}"] = packed([*pt(), Part(f"archive/{small}", b"1")])
    found |= {
        f"in the order {n}": packed(order)
        for n, order in enumerate((pt(2)[::-1], pt(2)[1:] + pt(2)[:1], pt(3)[2:] + pt(3)[:2]))
    }
    found["no version"] = packed(pt()[:-1])
    found["a pickle alone"] = packed(pt(0)[:1])
    found["an empty storage"] = packed([*pt(), Part("archive/data/7")])
    found["a storage that looks like a zip"] = packed([*pt(), Part("archive/data/7", b"PK\5\6")])
    wide = struct.pack("<4sL2Q", b"PK\7\x08", zlib.crc32(b"ab"), 2, 2)
    streamed = Part("archive/data/9", b"ab", flags=8, tail=wide)
    found["streamed with wide sizes"] = packed([*pt(), streamed])
    return found


def hostile() -> dict[str, bytes]:
    whole = packed(pt())
    found = {f"cut to {n} bytes": whole[:n] for n in (4, 21, 100, len(whole) - 1)}
    found |= {f"the member {bad[:16]!r}": packed([*pt(), Part(bad)]) for bad in _NAMES}
    found |= {
        f"its pickle {label}": packed([Part("a/data.pkl", content), Part("a/version", b"3")])
        for label, content in _PICKLES.items()
    }
    found |= {
        "no members": packed([]),
        "no data.pkl": packed(pt()[1:]),
        "two of data.pkl": packed(pt()[:1] + pt()),
        "data.pkl in another case": packed([*pt(), Part("archive/DATA.PKL")]),
        "two top folders": packed([*pt(), Part("other/data/1")]),
        "a storage twice": packed([*pt(), Part("archive/data/0")]),
        "compressed": packed([Part("a/data.pkl", b"x", method=8)]),
        "encrypted": packed(pt(flags=1)),
        "strongly encrypted": packed(pt(flags=0x41)),
        "masked": packed(pt(flags=0x2000)),
        "a prefix": packed(pt(), before=b"#!/bin/sh\n"),
        "a prefix that is a pickle": packed(pt(), before=b"\x80\2" + pickle_corpus.RUN),
        "a comment": packed(pt(), comment=b"hello"),
        "a comment that is a zip": packed(pt(), comment=packed(pt())),
        "bytes behind": packed(pt(), behind=b"\0"),
        "another zip behind": whole + packed([Part("a/data.pkl", pickle_corpus.RUN)]),
        "bytes before the directory": packed(pt(), between=b"hidden"),
        "several disks": packed(pt(), disk=1),
        "counted wrongly": packed(pt(), count=3),
        "a directory elsewhere": packed(pt(), start=0),
        "a directory too small": packed(pt(), size=10),
        "a directory too large": packed(pt(), size=20 * 2**20),
        "large without its end": packed(pt(), start=0xFFFFFFFF),
        "two ends that differ": packed(pt(), large="other"),
        "a large end elsewhere": packed(pt(), large="full", end64=0),
        "a comment of a member": packed([Part("a/data.pkl", b"x", here={"comment": b"c"})]),
        "a member on a disk": packed([Part("a/data.pkl", b"x", here={"disk": 1})]),
    }
    changes: list[dict[str, Any]] = [{"size": 1}, {"packed": 1}, {"crc": 1}, {"method": 8}]
    changes += [{"name": b"a/data.pkx"}, {"flags": 8}, {"extra": b"\1\0\1"}, {"size": 0xFFFFFFFF}]
    for change in changes:
        member = Part("a/data.pkl", pickle_corpus.state(0), there=change)
        found[f"before the member another {change}"] = packed([member])
    renamed = Part("a/data.pkl", b"x", here={"extra": b"up\6\0\1\0\0\0\0x"})
    found["another name in an extra field"] = packed([renamed])
    moved = pt()
    moved[2].here["offset"] = 0
    found["two members in one place"] = packed(moved)
    streamed = Part("a/data.pkl", pickle_corpus.state(0), flags=8, tail=b"")
    found["no sizes behind a streamed member"] = packed([streamed])
    wrong = Part("a/data.pkl", pickle_corpus.state(0), flags=8, tail=b"PK\7\x08" + bytes(12))
    found["wrong sizes behind a streamed member"] = packed([wrong])
    bad_sum = Part("a/data.pkl", b"x", there={"crc": 7}, here={"crc": 7})
    found["a wrong checksum"] = packed([bad_sum])
    return found


_NAMES: list[str | bytes] = [
    *("archive/../evil", "/etc/passwd", "archive/data/../../x", "archive\\data\\1", "archive/"),
    *("archive/code/__torch__.py", "archive/constants.pkl", "archive/data/0x1", "archive/a.so"),
    *("archive//data/1", "loose", "archive/data/1\n", b"archive/data/\xff", "archive/.data/other"),
    "archive/data/./1",
]
_PICKLES = {
    "runs": b"\x80\2" + pickle_corpus.RUN,
    "is empty": b"",
    "is cut": pickle_corpus.state(1)[:-3],
    "has a second stream": pickle_corpus.state(1) * 2,
    "is protocol 0": b"N.",
    "computes a name": pickle_corpus.hostile()["a computed name"],
    "is too large": bytes(pickles.MAX_BYTES + 1),
}
