"""Pickles by name: those that writers of weights create, and those of an attacker."""

import argparse
import pickle
import struct
from collections import Counter, OrderedDict
from typing import Any

from weights.inspection.formats.torch_legacy import MAGIC

RUN = b"cos\nsystem\nX\4\0\0\0true\x85R."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def tensor(key: str = "0", storage: str = "FloatStorage") -> bytes:
    """What PyTorch writes for a vector of two: a call of a rebuild function."""
    where = b"(" + text("storage") + name("torch", storage) + text(key) + text("cpu") + b"K\2tQ"
    empty = name("collections", "OrderedDict") + b")R"
    return (
        name("torch._utils", "_rebuild_tensor_v2")
        + b"("
        + where
        + b"K\0K\2\x85K\1\x85\x89"
        + (empty + b"tR")
    )


def two(body: bytes) -> bytes:
    """A complete stream of protocol 2."""
    return b"\x80\2" + body + b"."


def state(count: int = 1) -> bytes:
    """A mapping of names to tensors."""
    pairs = b"".join(text(f"layer.{n}") + tensor(str(n)) for n in range(count))
    return two(b"}(" + pairs + b"u")


def _looped() -> list[Any]:
    found: list[Any] = [1]
    found.append(found)
    return found


def benign() -> dict[str, bytes]:
    ordered = OrderedDict(a=1, b=[2.5, None])
    values: dict[str, Any] = {
        "nothing": None,
        "truth": True,
        "numbers": [0, 1, -1, 255, 65536, -(2**31), 2**40, 2**3000, 1.5, float("inf")],
        "texts": ["", "a", "größe", "x" * 300, "y" * 70_000],
        "a mapping": {"a": {"b": {"c": (1, 2, 3, 4)}}},
        "an ordered mapping": ordered,
        "a set": {1, 2},
        "options": argparse.Namespace(lr=0.1, arch="opt", nested=argparse.Namespace(a=1)),
        "the same text twice": ["again", "again", ("again",)],
        "a list in itself": _looped(),
        "counts": Counter("aab"),
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    }
    found = {
        f"{label}, protocol {protocol}": pickle.dumps(value, protocol)
        for label, value in values.items()
        for protocol in (2, 4)
    }
    found |= {
        "bytes": pickle.dumps({"a": b"b" * 300}, 4),
        "frozen": pickle.dumps({frozenset([1])}, 5),
    }
    found["bytes that change"] = pickle.dumps(bytearray(b"abc"), 5)
    found |= {f"{count} tensors": state(count) for count in (0, 1, 3, 300)}
    kinds = ("HalfStorage", "BFloat16Storage", "LongStorage", "BoolStorage", "DoubleStorage")
    found |= {f"a tensor in {kind}": two(tensor(storage=kind)) for kind in kinds}
    parameter = name("torch._utils", "_rebuild_parameter") + b"(" + tensor() + b"\x88"
    hooks = name("collections", "OrderedDict") + b")RtR"
    found["a parameter"] = two(parameter + hooks)
    found["a shape"] = two(name("torch", "Size") + b"K\2K\3\x86\x85R")
    found["a device"] = two(name("torch", "device") + text("cpu") + b"\x85R")
    found["a type"] = two(name("torch", "float16"))
    found["an old text"] = two(b"U\3abc")
    found["a call by a kept name"] = two(name("torch", "Size") + b"q\0)R0h\0)R")
    return found


_FORBIDDEN = (
    *("os.system", "posix.system", "nt.system", "os.popen", "subprocess.Popen", "subprocess.run"),
    *("builtins.eval", "builtins.exec", "builtins.getattr", "builtins.__import__", "builtins.open"),
    *(
        "__builtin__.eval",
        "importlib.import_module",
        "runpy.run_path",
        "pty.spawn",
        "shutil.rmtree",
    ),
    *(
        "socket.socket",
        "webbrowser.open",
        "operator.attrgetter",
        "functools.partial",
        "pickle.loads",
    ),
    *("torch.load", "torch.hub.load", "torch.jit.load", "torch._utils.warnings", "numpy.load"),
    *("collections.namedtuple", "types.CodeType", "ctypes.CDLL", "marshal.loads", "code.interact"),
)


def called(path: str) -> bytes:
    module, _, attribute = path.rpartition(".")
    return two(name(module, attribute) + text("x") + b"\x85R")


def hostile() -> dict[str, bytes]:
    good = two(tensor())
    short = b"\x8c"
    stacked = short + b"\2os" + short + b"\6system\x93"
    found = {f"imports {path}": called(path) for path in _FORBIDDEN}
    found |= {
        "empty but for its signature": b"\x80\2",
        "no end": good[:-1],
        "cut in the middle": good[: len(good) // 2],
        "two streams": good + good,
        "a second stream that runs": good + b"\x80\2" + RUN,
        "a byte behind": good + b"\0",
        "protocol 0": b"(lp0\nI1\na.",
        "protocol 0 that runs": b"cos\nsystem\n(S'true'\ntR.",
        "protocol 6": b"\x80\6N.",
        "protocol 1": b"\x80\1N.",
        "its protocol twice": b"\x80\2\x80\2N.",
        "INST": two(b"(" + text("true") + b"ios\nsystem\n"),
        "INST of an allowed name": two(b"(icollections\nOrderedDict\n"),
        "OBJ": two(b"(" + name("collections", "OrderedDict") + b"o"),
        "OBJ that runs": two(b"(" + name("os", "system") + text("true") + b"o"),
        "EXT1": two(b"\x82\1"),
        "EXT2": two(b"\x83\1\0"),
        "EXT4": two(b"\x84\1\0\0\0"),
        "PERSID": two(b"Pkey\n"),
        "old numbers": two(b"I1\n"),
        "old texts": two(b"S'a'\n"),
        "old places": two(b"Np0\n0g0\n"),
        "a buffer from outside": b"\x80\5\x97.",
        "a stacked name that runs": b"\x80\4" + stacked + text("true") + b"\x85R.",
        "a computed name": b"\x80\4" + text("os") + name("torch", "Size") + b")R\x93.",
        "a computed module": b"\x80\4" + name("torch", "Size") + b")R" + text("system") + b"\x93.",
        "a name from a tuple": b"\x80\4" + text("os") + text("system") + b"\x85\x93.",
        "a name from a storage": b"\x80\4" + text("os") + b"NQ\x93.",
        "a kept name that runs": b"\x80\4"
        + text("os")
        + b"\x94"
        + text("system")
        + b"\x940h\0h\1\x93.",
        "a dotted name": b"\x80\4" + text("collections") + text("OrderedDict.__init__") + b"\x93.",
        "a dotted module": b"\x80\4" + text("torch._utils.os") + text("system") + b"\x93.",
        "a call of a call": two(name("torch", "Size") + b")R)R"),
        "a call of a text": two(text("os.system") + text("true") + b"\x85R"),
        "a call of a storage": two(b"NQ)R"),
        "a new object of a call": two(name("torch", "Size") + b")R)\x81"),
        "a function set up anew": two(name("torch._utils", "_rebuild_tensor") + b"}b"),
        "an item put into a class": two(name("collections", "OrderedDict") + text("a") + b"Ns"),
        "items put into a class": two(
            name("collections", "OrderedDict") + b"(" + text("a") + b"Nu"
        ),
        "a value added to a class": two(name("collections", "OrderedDict") + b"Na"),
        "nothing to end with": two(b""),
        "values left over": two(b"NN"),
        "an empty stack": two(b"0N"),
        "a mark that is missing": two(b"NtN"),
        "a place that is empty": two(b"h\7"),
        "a place far away": two(b"Nr\xff\xff\xff\xff"),
        "a length beyond the end": two(b"X\xff\xff\xff\x7fab"),
        "an unknown instruction": two(b"\xff"),
        "old PyTorch that runs": MAGIC + b"\x80\2" + RUN,
        "old PyTorch, cut off": MAGIC + b"\x80\2M\xe9\3.",
        "the end of a mark": two(b"("),
    }
    return found
