"""Write a PyTorch zip file without PyTorch: `torch.load` reads it, also weights_only."""

import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from weights.publishing.synthetic.values import Tensor, Values

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold; a fixed one keeps bytes equal


def write_torch(path: Path, payload: dict[str, Any], values: Values) -> None:
    """The payload's tensors as float16 storages, everything else as plain values.

    The payload holds dicts with text keys, texts, whole numbers and `Tensor`s.
    """
    pickled = _Pickled()
    program = pickled.dumps(payload)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, path.stem, "data.pkl", [program])
        _add(archive, path.stem, "byteorder", [b"little"])
        for number, tensor in enumerate(pickled.tensors):
            _add(archive, path.stem, f"data/{number}", values.chunks(tensor))
        _add(archive, path.stem, "version", [b"3\n"])


def _add(archive: zipfile.ZipFile, top: str, member: str, chunks: Iterable[bytes]) -> None:
    with archive.open(zipfile.ZipInfo(f"{top}/{member}", _EPOCH), "w") as target:
        for chunk in chunks:
            target.write(chunk)


class _Pickled:
    """Just enough of pickle protocol 2; `tensors` are met in the order of their storages."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []

    def dumps(self, value: Any) -> bytes:
        return b"\x80\x02" + self._value(value) + b"."

    def _value(self, value: Any) -> bytes:
        match value:
            case bool():
                return b"\x88" if value else b"\x89"
            case int():
                return b"J" + struct.pack("<i", value)
            case str():
                raw = value.encode()
                return b"X" + struct.pack("<I", len(raw)) + raw
            case tuple():
                return b"(" + b"".join(map(self._value, value)) + b"t"
            case dict():
                pairs = (self._value(key) + self._value(one) for key, one in value.items())
                return b"}(" + b"".join(pairs) + b"u"
            case Tensor():
                return self._tensor(value)
        raise TypeError(f"cannot pickle {type(value).__name__}")

    def _tensor(self, tensor: Tensor) -> bytes:
        key = str(len(self.tensors))
        self.tensors.append(tensor)
        storage = (
            b"("
            + self._value("storage")
            + _name("torch", "HalfStorage")
            + self._value(key)
            + self._value("cpu")
            + self._value(tensor.count)
            + b"tQ"
        )
        return (
            _name("torch._utils", "_rebuild_tensor_v2")
            + b"("
            + storage
            + self._value(0)
            + self._value(tensor.shape)
            + self._value(_strides(tensor.shape))
            + self._value(False)
            + _name("collections", "OrderedDict")
            + b")R"
            + b"tR"
        )


def _name(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides: list[int] = []
    step = 1
    for length in reversed(shape):
        strides.insert(0, step)
        step *= length
    return tuple(strides)
