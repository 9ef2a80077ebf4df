"""Tar archives with any name, such as PyTorch's oldest layout and pickles for pandas."""

import io
import tarfile
from collections.abc import Iterator

from weights.inspection.content.parts import InspectPart, Part, summary
from weights.inspection.formats import tar_file
from weights.inspection.formats.source import Source, SourceStream, UnpackedSource, Unreadable
from weights.inspection.formats.verdict import Refused, Verdict

KIND = "tar archive"
MAX_MEMBERS = 2000
_CHUNK = 4096
#: Members that `torch.load` unpickles.
_PYTORCH = {"storages", "tensors", "pickle"}


def inspect(source: Source, inspect_part: InspectPart) -> Verdict | None:
    """The verdict on a tar archive; None if the file is not one.

    Reads only the first member of a compressed archive: pandas unpickles an archive only if it has
    a single member, and PyTorch never reads compressed ones.
    """
    if not tar_file.is_tar(source.read(0, tar_file.BLOCK)):
        return None
    verdicts = [inspect_part(part) for part in _parts(source)]
    return summary(KIND, verdicts, is_complete=False)


def _parts(source: Source) -> Iterator[Part]:
    most = 1 if isinstance(source, UnpackedSource) else MAX_MEMBERS
    stream = io.BufferedReader(SourceStream(source, 0, source.size))
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for number, member in enumerate(archive, 1):
                if member.name.strip("./") in _PYTORCH:
                    raise Refused("it is a tar archive, whose members `torch.load` unpickles")
                if member.isreg():
                    yield Part(_content(archive, member), member.name)
                if number == most:
                    break
            else:
                return
    except (tarfile.TarError, EOFError, OSError, ValueError):
        return
    if most == MAX_MEMBERS:
        raise Refused(f"its tar archive has {MAX_MEMBERS} members or more")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> UnpackedSource:
    def unpack() -> Iterator[bytes]:
        try:
            opened = archive.extractfile(member)
            while opened is not None and (part := opened.read(_CHUNK)):
                yield part
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            raise Unreadable from error

    return UnpackedSource(unpack, member.size)
