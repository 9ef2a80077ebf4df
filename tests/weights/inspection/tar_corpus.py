"""Tar archives by name, plain or disguised; `torch.load` unpickles three of their members."""

import io
import struct
import tarfile

from tests.weights.inspection import pickle_corpus, zip_corpus
from weights.inspection.formats.torch_legacy import MAGIC

_MEMBERS = ("storages", "tensors", "pickle")


def archive(form: int = tarfile.USTAR_FORMAT, first: str = "storages") -> bytes:
    """What PyTorch once wrote, each member a pickle that runs something."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=form) as made:
        for name in (first, *_MEMBERS):
            info = tarfile.TarInfo(name)
            info.size = len(pickle_corpus.RUN)
            made.addfile(info, io.BytesIO(pickle_corpus.RUN))
    return written.getvalue()


def beginning(first: bytes, rest: bytes | None = None) -> bytes:
    """The same behind an empty member of this name, which may hold any byte."""
    header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT))
    header[: len(first)] = first
    return summed(header) + (archive() if rest is None else rest)


def summed(header: bytearray, *, signed: bool = False, wide: bool = False) -> bytes:
    header[148:156] = b" " * 8
    form = "512b" if signed else "512B"
    total = sum(struct.unpack(form, header))
    header[148:156] = b"\x80" + total.to_bytes(7) if wide else b"%06o\0 " % total
    return bytes(header)


def _in_a_pickle() -> bytes:
    """A complete pickle without imports that contains the archive as bytes."""
    size = len(beginning(b"\x80\4\x8e" + bytes(8))) - 11
    return beginning(b"\x80\4\x8e" + struct.pack("<Q", size)) + b"."


def _in_a_zip() -> bytes:
    """A sound zip file with the archive's first header in its first member."""
    member = zip_corpus.Part("a/data/0", there={"crc": 0}, here={"crc": 0})
    parts = [member, *zip_corpus.pt(0, top="a")]
    start = 30 + len(member.path)
    member.content = bytes(512 - start) + archive()
    header = bytearray(zip_corpus.packed(parts)[:512])
    member.content = summed(header)[start:] + archive()
    return zip_corpus.packed(parts)


def _header() -> bytearray:
    return bytearray(tarfile.TarInfo("storages\u00e9").tobuf(tarfile.USTAR_FORMAT))


def hostile() -> dict[str, bytes]:
    long = "x" * 300
    return {
        "plain": archive(),
        "of GNU": archive(tarfile.GNU_FORMAT),
        "of GNU with a long name": archive(tarfile.GNU_FORMAT, long),
        "of POSIX": archive(tarfile.PAX_FORMAT),
        "of POSIX with a long name": archive(tarfile.PAX_FORMAT, long),
        "cut off": archive()[:700],
        "summed with signs": summed(_header(), signed=True) + archive(),
        "summed in base 256": summed(_header(), wide=True) + archive(),
        "that begins as nothing": beginning(b"\0"),
        "that begins as text": beginning(b"weights of a model"),
        "that begins as a pickle": beginning(b"\x80\2N."),
        "within a pickle": _in_a_pickle(),
        "that begins as an old pickle": beginning(b"Vname\n."),
        "that begins as old PyTorch": beginning(MAGIC + b"\x80\2N." * 4),
        "within a zip": _in_a_zip(),
    }
