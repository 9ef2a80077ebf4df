"""Writes PyTorch zip files without PyTorch; `torch.load` reads them even with weights_only."""

import struct
import zipfile
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

from weights.publishing.synthetic.values import Tensor, Values

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time of a zip; fixed for reproducible files


def write_torch(path: Path, payload: dict[str, Any], values: Values) -> None:
    """Writes the payload with its tensors as float16 storages.

    The payload holds dicts with str keys, strs, ints and `Tensor`s.
    """
    pickler = _Pickler()
    program = pickler.dumps(payload)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, path.stem, "data.pkl", [program])
        _add(archive, path.stem, "byteorder", [b"little"])
        for number, tensor in enumerate(pickler.tensors):
            _add(archive, path.stem, f"data/{number}", values.chunks(tensor))
        _add(archive, path.stem, "version", [b"3\n"])


def _add(archive: zipfile.ZipFile, top: str, member: str, chunks: Iterable[bytes]) -> None:
    with archive.open(zipfile.ZipInfo(f"{top}/{member}", _EPOCH), "w") as target:
        for chunk in chunks:
            target.write(chunk)


class _Pickler:
    """A subset of pickle protocol 2; `tensors` are in the order of their storages.

    Python's pickler cannot refer to functions of PyTorch, which is not installed.
    """

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []

    def dumps(self, value: Any) -> bytes:
        return b"\x80\x02" + self._value(value) + b"."

    def _value(self, value: Any) -> bytes:
        match value:
            case bytes():  # already pickled
                return value
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
                pairs = (self._value(key) + self._value(item) for key, item in value.items())
                return b"}(" + b"".join(pairs) + b"u"
            case Tensor():
                return self._tensor(value)
        raise TypeError(f"cannot pickle {type(value).__name__}")

    def _tensor(self, tensor: Tensor) -> bytes:
        key = str(len(self.tensors))
        self.tensors.append(tensor)
        storage = ("storage", _global("torch", "HalfStorage"), key, "cpu", tensor.count)
        strides = tuple(prod(tensor.shape[axis + 1 :]) for axis in range(len(tensor.shape)))
        hooks = _global("collections", "OrderedDict") + b")R"
        persistent = self._value(storage) + b"Q"
        arguments = self._value((persistent, 0, tensor.shape, strides, False, hooks))
        return _global("torch._utils", "_rebuild_tensor_v2") + arguments + b"R"


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()
