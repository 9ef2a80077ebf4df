"""Safetensors files by name: those that a writer creates, and those of an attacker."""

import json
import struct
from typing import Any

Tensors = dict[str, dict[str, Any]]
_BYTES = {"F64": 8, "I64": 8, "U64": 8, "C64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2}
_BYTES |= {"BF16": 2, "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_BYTES |= {"F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1}
#: Of four elements, for types smaller than a byte.
_FOUR = {"F4": 2, "F6_E2M3": 3, "F6_E3M2": 3}


def raw(header: str | bytes, data: bytes = b"", length: int | None = None) -> bytes:
    """A file with exactly this header, optionally with a wrong length."""
    text = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def made(header: dict[str, Any], size: int = 0, pad: int = 0) -> bytes:
    return raw(json.dumps(header) + " " * pad, bytes(size))


def one(**changes: Any) -> dict[str, Any]:
    """A float16 vector of two, four bytes long, with some fields changed; None leaves one out."""
    fields = {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]} | changes
    return {name: value for name, value in fields.items() if value is not None}


def named(name: str) -> bytes:
    return made({name: one()}, 4)


def benign() -> dict[str, bytes]:
    found = {f"a vector of {dtype}": _vector(dtype, 3) for dtype in _BYTES}
    found |= {
        f"a vector of {dtype}": made(
            {"a": one(dtype=dtype, shape=[4], data_offsets=[0, size])}, size
        )
        for dtype, size in _FOUR.items()
    }
    found |= {f"{count} tensors": _many(count) for count in (0, 1, 2, 7, 50)}
    found |= {f"padded by {pad}": made({"a": one()}, 4, pad) for pad in (1, 7, 64)}
    names = ["weight", "model.layers.0.weight", "a b", "größe", "权重", "x" * 200, "a-b_c:d", "…"]
    found |= {f"a tensor named {name[:12]}": named(name) for name in names}
    shapes: list[list[int]] = [[], [1], [0], [2, 0, 3], [1, 1, 2], [2, 1]]
    for shape in shapes:
        size = 2
        for side in shape:
            size *= side
        found[f"of shape {shape}"] = made({"a": one(shape=shape, data_offsets=[0, size])}, size)
    notes: list[dict[str, str]] = [{}, {"format": "pt"}, {"a": "", "größe": "…"}]
    found |= {f"with notes {n}": made({"__metadata__": note}) for n, note in enumerate(notes)}
    swapped = {"b": one(data_offsets=[4, 8]), "a": one()}
    found["told in another order"] = made(swapped, 8)
    return found


def _vector(dtype: str, count: int) -> bytes:
    size = _BYTES[dtype] * count
    return made({"a": {"dtype": dtype, "shape": [count], "data_offsets": [0, size]}}, size)


def _many(count: int) -> bytes:
    tensors = {f"t{n}": one(data_offsets=[4 * n, 4 * n + 4]) for n in range(count)}
    return made(tensors, 4 * count)


def hostile() -> dict[str, bytes]:
    whole = made({"a": one()}, 4)
    again = json.dumps({"a": one()})
    twice = f"{again[:-1]},{again[1:]}"
    deep = '{"a":' * 100_000
    found = {
        "nothing": b"",
        "seven bytes": b"\2\0\0\0\0\0\0",
        "a length alone": raw("", length=2),
        "an empty header": raw(""),
        "a length beyond the end": raw("{}", length=3),
        "the largest length": raw("{}", length=2**64 - 1),
        "a header over 25 MB": raw(b"{}" + b" " * 25_000_000),
        "a leading blank": raw(" {}"),
        "a leading line break": raw("\n{}"),
        "a byte order mark": raw("\ufeff{}"),
        "a list": raw("[]"),
        "cut JSON": raw('{"a":'),
        "two values": raw("{}{}"),
        "rubbish after the header": raw("{}x"),
        "a NUL after the header": raw("{}\0"),
        "no UTF-8": raw(b'{"\xff":1}'),
        "too deep": raw(deep),
        "a name twice": raw(twice, bytes(4)),
        "a field twice": raw(
            '{"a":{"dtype":"F16","dtype":"F32","shape":[2],"data_offsets":[0,4]}}', bytes(4)
        ),
        "notes twice": raw('{"__metadata__":{"a":"b","a":"c"}}'),
        "notes as a list": raw('{"__metadata__":[]}'),
        "notes with a number": raw('{"__metadata__":{"a":1}}'),
        "notes within notes": raw('{"__metadata__":{"a":{}}}'),
        "a tensor as a list": raw('{"a":[]}'),
        "an unknown field": made({"a": one(extra=1)}, 4),
        "a number with a fraction": made({"a": one(shape=[2.0])}, 4),
        "NaN": raw('{"a":{"dtype":"F16","shape":[NaN],"data_offsets":[0,4]}}', bytes(4)),
        "a byte behind": whole + b"\0",
        "a zip behind": whole + b"PK\3\4" + bytes(40),
        "a byte too few": whole[:-1],
        "no data": whole[:-4],
        "a gap": made({"a": one(), "b": one(data_offsets=[6, 10])}, 10),
        "a gap at the start": made({"a": one(data_offsets=[4, 8])}, 8),
        "an overlap": made({"a": one(), "b": one(data_offsets=[2, 6])}, 6),
        "the same bytes twice": made({"a": one(), "b": one()}, 4),
        "ends before it begins": made({"a": one(data_offsets=[4, 0])}, 4),
        "three offsets": made({"a": one(data_offsets=[0, 4, 4])}, 4),
        "negative offsets": made({"a": one(data_offsets=[-4, 0])}, 0),
        "a negative side": made({"a": one(shape=[-1, -2])}, 4),
        "sides as texts": made({"a": one(shape=["2"])}, 4),
        "a truth as a side": made({"a": one(shape=[2, True])}, 4),
        "more than it holds": made({"a": one(shape=[2**62, 2])}, 4),
        "sides that overflow": made({"a": one(shape=[2**32, 2**32])}, 4),
        "an endless number": made({"a": one(shape=[10**100])}, 4),
    }
    half = one(dtype="F4", shape=[3], data_offsets=[0, 2])
    found["three halves of a byte"] = made({"a": half}, 2)
    found |= {f"no {field}": made({"a": one(**{field: None})}, 4) for field in one()}
    types: list[Any] = ["f16", "F128", "", "PICKLE", 16, None]
    found |= {f"type {t!r}": raw(_typed(t), bytes(4)) for t in types}
    names = ["", "a/b", "../a", "/etc/passwd", "a\\b", "..", "a\0b", "a\nb", "\u202eab", "x" * 2000]
    found |= {f"the name {name[:12]!r}": named(name) for name in names}
    return found


def _typed(dtype: Any) -> str:
    return json.dumps({"a": {"dtype": dtype, "shape": [2], "data_offsets": [0, 4]}})
