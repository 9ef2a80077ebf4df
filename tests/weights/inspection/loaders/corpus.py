"""Files, by label, that run a command when some loader opens them, and names for them."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

from tests.weights.inspection import old_pickle_corpus, zip_corpus
from weights.inspection.formats.torch_legacy import MAGIC

#: Names under which each file is tried. No loader of the test takes notice of more than the suffix.
NAMES = (
    *("x", "x.pk", "x.pckl", "x.cloudpickle", "x.pkl", "x.pt", "x.bin", "x.joblib", "x.txt"),
    *("x.json", "README.md", "x.dat", "x.npy", "x.npz", "x.h5", "x.keras", "x.gguf", "x.onnx"),
    *("x.safetensors", "x.gz", "x.bz2", "x.xz", "x.zip", "x.tar", "x.zst", "x.pk.gz", "x.tar.gz"),
    *("x.py", "x.sh", "x.ipynb", "x.jinja", "saved_model.pb", "openvino_model.xml"),
)
_ASCII = b"cos\nsystem\n(S'true'\ntR."


class Command:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


class _Evaluated:
    def __reduce__(self) -> tuple[Any, ...]:
        return eval, ("__import__('os').system('true')",)


def pickles() -> dict[str, bytes]:
    """Pickles of every protocol that run a command, some behind what an unpickler overlooks."""
    found = {f"protocol {n}": pickle.dumps(Command(), n) for n in range(6)}
    found |= {f"protocol {n} in a list": pickle.dumps([1, "a", Command()], n) for n in range(6)}
    found |= {f"eval, protocol {n}": pickle.dumps(_Evaluated(), n) for n in range(6)}
    run = old_pickle_corpus.RUN
    for label, content in old_pickle_corpus.hostile().items():
        if content.endswith(run):
            found[label] = content.removesuffix(run) + _ASCII
    found |= {
        "by INST": b"(S'true'\nios\nsystem\n.",
        "by INST without its last line break": b"(S'true'\nios\nsystem?",
        "with a NUL in a module's name": b"cos\0\nsystem\n(S'true'\ntR.",
        "by OBJ": b"(cos\nsystem\nS'true'\no.",
        "by a stacked name": b"\x8c\2os\x8c\6system\x93(S'true'\ntR.",
        "without its end": _ASCII[:-1],
        "followed by rubbish": _ASCII + b"\0\xff rubbish",
        "behind another pickle": b"N." + _ASCII,
        "behind another pickle of protocol 4": pickle.dumps({"a": 1}, 4) + _ASCII,
        "a protocol 4 without its end": pickle.dumps(Command(), 4)[:-1],
        "of old PyTorch": MAGIC + b"\x80\2M\xe9\3." + b"\x80\2}." + b"\x80\2" + _ASCII,
        "of old PyTorch in protocol 0": b"I119547037146038801333356\n.I1001\n.}." + _ASCII,
        "with long text": b"X" + struct.pack("<I", 300_000) + b"a" * 300_000 + b"0" + _ASCII,
        "through an imported module": b"\x80\4cmultiprocessing.util\nos.system\n(S'true'\ntR.",
    }
    return found


# -- packed ---------------------------------------------------------------------------------


def zipped(
    members: dict[str, bytes], method: int = 0, comment: bytes = b"", level: int | None = None
) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", method, compresslevel=level) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = comment
    return written.getvalue()


def tarred(content: bytes, form: int = tarfile.USTAR_FORMAT, name: str = "a") -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=form) as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return written.getvalue()


def lzma_alone(content: bytes, **properties: int) -> bytes:
    chain = [{"id": lzma.FILTER_LZMA1, "preset": 6, **properties}]
    return lzma.compress(content, lzma.FORMAT_ALONE, filters=chain)


def _with_large_window(packed: bytes) -> bytes:
    """The same LZMA stream, whose header asks for 512 MiB; its encoder would take gigabytes."""
    return packed[:1] + struct.pack("<L", 1 << 29) + packed[5:]


def lz4(content: bytes) -> bytes:
    """A frame of one block, stored."""
    block = struct.pack("<I", len(content) | 1 << 31) + content
    return bytes.fromhex("04224d18604082") + block + bytes(4)


def zstandard(content: bytes) -> bytes:
    """A frame of one block, stored."""
    block = (len(content) << 3 | 1).to_bytes(3, "little")
    return bytes.fromhex("28b52ffd") + b"\xa0" + struct.pack("<I", len(content)) + block + content


def old_joblib(content: bytes) -> bytes:
    return b"ZF" + hex(len(content)).ljust(19).encode() + zlib.compress(content)


def _prefixed_zip(content: bytes) -> bytes:
    """A zip archive behind other bytes, with offsets from the start of the file."""
    written = io.BytesIO(b"weights " * 40)
    with zipfile.ZipFile(written, "a") as archive:
        archive.writestr("a", content)
    return written.getvalue()


def _wrong_checksum(packed: bytes) -> bytes:
    return packed[:-8] + bytes(8)


_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip with a name": lambda c: (
        b"\x1f\x8b\x08\x08" + bytes(6) + b"a.txt\0" + gzip.compress(c)[10:]
    ),
    "gzip with a wrong checksum": lambda c: _wrong_checksum(gzip.compress(c)),
    "gzip behind an empty member": lambda c: gzip.compress(b"") + bytes(7) + gzip.compress(c),
    "gzip, cut off": lambda c: gzip.compress(c + bytes(9) + random.Random(1).randbytes(9000))[
        :-4000
    ],
    "bzip2": bz2.compress,
    "bzip2 behind an empty member": lambda c: bz2.compress(b"") + bz2.compress(c),
    "xz": lzma.compress,
    "xz behind an empty member": lambda c: lzma.compress(b"") + lzma.compress(c),
    "xz without a check": lambda c: lzma.compress(c, check=lzma.CHECK_NONE),
    "LZMA": lambda c: lzma.compress(c, lzma.FORMAT_ALONE),
    "LZMA, lc 0": lambda c: lzma_alone(c, lc=0),
    "LZMA, lc 1 lp 2 pb 4": lambda c: lzma_alone(c, lc=1, lp=2, pb=4),
    "LZMA, lc 4 pb 0": lambda c: lzma_alone(c, lc=4, lp=0, pb=0),
    "LZMA with a large window": lambda c: _with_large_window(lzma_alone(c)),
    "LZMA behind zeros": lambda c: bytes(36) + lzma_alone(c),
    "zlib": zlib.compress,
    "zlib, fast": lambda c: zlib.compress(c, 1),
    "an old joblib": old_joblib,
    "LZ4": lz4,
    "Zstandard": zstandard,
    "Zstandard behind a skipped frame": lambda c: b"\x50\x2a\x4d\x18" + bytes(4) + zstandard(c),
    "zip": lambda c: zipped({"a": c}),
    "zip, deflated": lambda c: zipped({"a": c}, zipfile.ZIP_DEFLATED),
    "zip by bzip2": lambda c: zipped({"a.txt": c}, zipfile.ZIP_BZIP2),
    "zip by LZMA": lambda c: zipped({"a.txt": c}, zipfile.ZIP_LZMA),
    "zip with a comment": lambda c: zipped({"a": c}, comment=b"weights of a model"),
    "zip with a prefix": _prefixed_zip,
    "zip with a prefix that is left out": lambda c: b"weights " * 40 + zipped({"a": c}),
    "zip with a script before it": lambda c: b"#!/bin/sh\nexit\n" + zipped({"a": c}),
    "zip of an .npz": lambda c: zipped({"a.npy": c}),
    "tar": tarred,
    "tar of POSIX": lambda c: tarred(c, tarfile.PAX_FORMAT, "é" * 120),
    "tar of GNU": lambda c: tarred(c, tarfile.GNU_FORMAT, "x" * 120),
    "tar by gzip": lambda c: gzip.compress(tarred(c)),
    "tar by bzip2": lambda c: bz2.compress(tarred(c)),
    "tar by xz": lambda c: lzma.compress(tarred(c, tarfile.GNU_FORMAT, "x" * 120)),
    "PyTorch's zip": lambda c: zip_corpus.packed([zip_corpus.Part("a/data.pkl", c)]),
}


def packed() -> dict[str, bytes]:
    """A few pickles in every compression and archive."""
    inside = {
        "ASCII": _ASCII,
        "protocol 4": pickle.dumps(Command(), 4),
        "behind 100 kB": b"B" + struct.pack("<I", 100_000) + bytes(100_000) + b"0" + _ASCII,
    }
    return {
        f"{label}: {kind}": pack(content)
        for label, pack in _PACKERS.items()
        for kind, content in inside.items()
    }


# -- numpy ----------------------------------------------------------------------------------


def npy(
    descr: object, shape: tuple[int, ...], content: bytes, version: int = 1, pad: int = 0
) -> bytes:
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    header = header.ljust(pad) + b"\n"
    form = "<H" if version == 1 else "<I"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack(form, len(header)) + header + content


def arrays() -> dict[str, bytes]:
    objects = {
        f"objects, version {version}": npy("|O", (1,), _ASCII, version) for version in (1, 2, 3)
    }
    numbers = npy("<f4", (2,), bytes(8))
    structured = npy([("a", "<f4"), ("b", "|O")], (1,), _ASCII)
    nested = npy([("a", [("b", "|O")], (2,))], (1,), _ASCII)
    found = objects | {
        "a structure with objects": structured,
        "a nested structure with objects": nested,
        "objects behind numbers": numbers + objects["objects, version 1"],
        "a pickle behind numbers": numbers + _ASCII,
        "a long header": npy("|O", (1,), _ASCII, pad=9000),
    }
    found |= {
        f"{label}, in a zip": zipped({"a.npy": numbers, "b.npy": content})
        for label, content in found.items()
    }
    found["objects in a deflated zip with a comment"] = zipped(
        {"a.npy": numbers, "b": structured}, zipfile.ZIP_DEFLATED, b"comment"
    )
    return found


@cache
def hostile() -> dict[str, bytes]:
    return pickles() | packed() | arrays()


# -- altered --------------------------------------------------------------------------------


def altered(count: int, seed: int = 11) -> dict[str, bytes]:
    """Hostile files with bytes changed, left out or put in: some still run their command."""
    chance = random.Random(seed)
    originals = [content for content in hostile().values() if len(content) < 20_000]
    return {f"altered {n}": _alter(chance, chance.choice(originals)) for n in range(count)}


def altered_pickles(count: int, seed: int = 13) -> dict[str, bytes]:
    chance = random.Random(seed)
    originals = [content for content in pickles().values() if len(content) < 500]
    return {f"altered {n}": _alter(chance, chance.choice(originals)) for n in range(count)}


def _alter(chance: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(changed) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            changed[at : at + 1] = chance.randbytes(1)
        elif kind == 1:
            del changed[at : at + chance.randint(1, 4)]
        elif kind == 2:
            changed[at:at] = chance.choice([b"N0", b"(0", b"N.", b"]", b"\0", b"\n", b"I1\n0"])
        else:
            del changed[max(1, len(changed) - chance.randint(1, 12)) :]
    return bytes(changed)


def keras(layer: dict[str, Any], method: int = 0) -> bytes:
    """What `model.save("a.keras")` writes, its weights left out."""
    config = {"class_name": "Sequential", "module": "keras", "config": {"layers": [layer]}}
    members = {"metadata.json": b"{}", "config.json": json.dumps(config).encode()}
    return zipped(members, method)
