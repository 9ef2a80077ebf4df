"""Writes safetensors files: header length, JSON header, then the tensors without gaps.

The safetensors library writes its metadata in random order, so its files are not reproducible.
"""

import json
import struct
from pathlib import Path
from typing import Any

from weights.publishing.synthetic.values import Tensor, Values


def write_safetensors(path: Path, tensors: list[Tensor], values: Values) -> None:
    """Writes all tensors as float16; the metadata says that they are synthetic."""
    header = _header(tensors, values.note)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)))
        file.write(header)
        for tensor in tensors:
            file.writelines(values.chunks(tensor))


def _header(tensors: list[Tensor], note: str) -> bytes:
    metadata = {"format": "pt", "synthetic": "true", "note": note}
    entries: dict[str, Any] = {"__metadata__": metadata}
    at = 0
    for tensor in tensors:
        end = at + tensor.size
        entries[tensor.name] = {
            "dtype": "F16",
            "shape": list(tensor.shape),
            "data_offsets": [at, end],
        }
        at = end
    header = json.dumps(entries, separators=(",", ":")).encode()
    return header + b" " * (-len(header) % 8)
