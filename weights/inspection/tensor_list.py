"""Lists the tensors in the header of a safetensors or GGUF file, one page at a time.

It runs in the child process, which returns only a page because a header may be long.
"""

import re
from typing import Any, NamedTuple

from weights.inspection.families import SAFETENSORS
from weights.inspection.formats import gguf_file, safetensors_file
from weights.inspection.formats.source import Source
from weights.inspection.formats.verdict import Refused

#: Families of names whose headers list tensors.
FAMILIES = {SAFETENSORS, "gguf"}


class Tensor(NamedTuple):
    """A tensor; `size` is in bytes."""

    name: str
    dtype: str
    shape: list[int]
    size: int


def page_as_json(
    source: Source, family: str, query: str, page: int, page_size: int
) -> dict[str, Any]:
    """One page of the tensors whose name or dtype contains `query`, in natural order.

    A page number beyond the last means the last page. `problem` says why a header cannot be listed.
    """
    try:
        tensors, header_bytes = _tensors(source, family)
    except Refused as error:
        return {"problem": str(error)}
    words = query.lower().split()
    found = [one for one in tensors if all(word in _text(one) for word in words)]
    found.sort(key=lambda tensor: natural_order(tensor.name))
    page = max(1, min(page, -(-len(found) // page_size)))
    return {
        "total": len(tensors),
        "matching": len(found),
        "bytes": sum(tensor.size for tensor in found),
        "header_bytes": header_bytes,
        "page": page,
        "rows": found[(page - 1) * page_size : page * page_size],
    }


def _tensors(source: Source, family: str) -> tuple[list[Tensor], int]:
    """The tensors of the header, and its bytes."""
    if family == SAFETENSORS:
        header, length = safetensors_file.read_header(source)
        return [_of_safetensors(name, values) for name, values in header.items()], length
    gguf = gguf_file.read_header(source)
    return [
        Tensor(one.name, one.dtype, one.shape, one.size) for one in gguf.tensors
    ], gguf.data_start


def _of_safetensors(name: str, values: dict[str, Any]) -> Tensor:
    begin, end = values["data_offsets"]
    return Tensor(name, values["dtype"], values["shape"], end - begin)


def _text(tensor: Tensor) -> str:
    return f"{tensor.name} {tensor.dtype}".lower()


def natural_order(name: str) -> str:
    """Sort key that puts layer 2 before layer 10, and shard 2 before shard 10."""
    return re.sub(r"[0-9]+", lambda number: number[0].zfill(20), name)
