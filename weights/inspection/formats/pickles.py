"""Symbolic execution of pickles: a pickle is a program, and this module never runs it.

Placeholders represent values on the stack, so that imports and calls are known at every
instruction. A stream that no unpickler could finish is refused.
"""

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

from weights.inspection.formats.import_check import Findings
from weights.inspection.formats.verdict import Refused

#: Maximum bytes of one pickle.
MAX_BYTES = 64 * 1024 * 1024
_MAX_MEMO_INDEX = 1 << 24


class Imported(NamedTuple):
    """The placeholder of an imported object."""

    module: str
    name: str


#: Placeholders of a mark, and of any value that is not kept.
_MARK, _VALUE = object(), object()

_PLAIN = {
    *("NONE", "NEWTRUE", "NEWFALSE", "LONG4", "BINFLOAT"),
    *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("EMPTY_LIST", "EMPTY_TUPLE", "EMPTY_DICT", "EMPTY_SET"),
}
#: Texts and integers, which identify and size storages.
_KEPT = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
_KEPT |= {"BININT", "BININT1", "BININT2", "LONG1"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
#: Items of the tuple that identifies a storage: `("storage", class, key, device, elements)`.
_STORAGE_ITEMS = 5
#: Number of values that each instruction pops before the container that it fills.
_FILLS = {"APPEND": 1, "SETITEM": 2}
_FILL_GROUPS = {"APPENDS", "SETITEMS", "ADDITEMS"}


class PickleReader:
    """Reads one stream up to its STOP instruction."""

    def __init__(self, stream: BinaryIO, findings: Findings) -> None:
        self._stream = stream
        self._findings = findings
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def read(self) -> None:
        """Records the stream's imports; raises Refused if it cannot be read further."""
        try:
            for number, (opcode, argument, _) in enumerate(pickletools.genops(self._stream)):
                if number == 0 and opcode.name != "PROTO":
                    raise Refused("its pickle is older than protocol 2")
                self._step(opcode.name, argument, first=number == 0)
        except (ValueError, IndexError, KeyError, UnicodeError, OverflowError) as error:
            raise Refused(f"its pickle cannot be parsed: {error}") from error
        if len(self._stack) != 0:
            self._findings.fault("its pickle ends with values left over")

    def _step(self, name: str, argument: Any, *, first: bool) -> None:
        push = self._stack.append
        if name in _PLAIN:
            push(_VALUE)
        elif name in _KEPT:
            push(argument)
        elif name == "MARK":
            push(_MARK)
        elif name in _TUPLES:
            for _ in range(_TUPLES[name]):
                self._pop()
            push(_VALUE)
        elif name == "TUPLE":
            items = self._pop_group()
            push(tuple(items) if len(items) == _STORAGE_ITEMS else _VALUE)
        elif name == "FROZENSET":
            self._pop_group()
            push(_VALUE)
        elif name in _FILLS:
            for _ in range(_FILLS[name]):
                self._pop()
            self._require_container()
        elif name in _FILL_GROUPS:
            self._pop_group()
            self._require_container()
        elif name == "PROTO":
            if not first or not 2 <= argument <= 5:
                raise Refused("its pickle names its protocol wrongly")
        elif name == "STOP":
            self._pop()
        elif name != "FRAME":
            self._rare(name, argument)

    def _rare(self, name: str, argument: Any) -> None:
        handler: Callable[[Any], None] | None = getattr(self, f"_on_{name.lower()}", None)
        if handler is None:
            raise Refused(f"its pickle uses {name}, which no current writer needs")
        handler(argument)

    # -- names and calls --------------------------------------------------------------------

    def _on_global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._import(module, name)

    def _on_stack_global(self, _: Any) -> None:
        name, module = self._pop(), self._pop()
        if type(name) is not str or type(module) is not str:
            raise Refused("its pickle computes a name to import")
        self._import(module, name)

    def _import(self, module: str, name: str) -> None:
        self._findings.imported(module, name)
        self._stack.append(Imported(module, name))

    def _on_reduce(self, _: Any) -> None:
        self._pop()
        self._call(self._pop())

    _on_newobj = _on_reduce

    def _on_newobj_ex(self, _: Any) -> None:
        self._pop()
        self._on_reduce(_)

    def _call(self, function: Any) -> None:
        if type(function) is not Imported:
            raise Refused("its pickle calls something that it did not import by name")
        self._stack.append(_VALUE)

    def _on_build(self, _: Any) -> None:
        self._pop()
        self._require_container()

    def _on_binpersid(self, _: Any) -> None:
        self._note_storage(self._pop())
        self._stack.append(_VALUE)

    def _note_storage(self, identity: Any) -> None:
        if type(identity) is not tuple:
            return
        _, kind, key, _, count = identity
        if type(kind) is Imported and type(key) is str and type(count) is int:
            self._findings.storages[key] = (kind.name.removesuffix("Storage"), count)

    # -- stack and memo ---------------------------------------------------------------------

    def _on_pop(self, _: Any) -> None:
        if not self._stack:
            raise Refused("its pickle takes from an empty stack")
        self._stack.pop()

    def _on_pop_mark(self, _: Any) -> None:
        self._pop_group()

    def _on_dup(self, _: Any) -> None:
        self._stack.append(self._top())

    def _on_memoize(self, _: Any) -> None:
        self._memoize(len(self._memo))

    def _on_binput(self, index: int) -> None:
        self._memoize(index)

    _on_long_binput = _on_binput

    def _on_binget(self, index: int) -> None:
        self._stack.append(self._memo[index])

    _on_long_binget = _on_binget

    def _memoize(self, index: int) -> None:
        if index > _MAX_MEMO_INDEX:
            raise Refused("its pickle keeps a value under a number that no writer reaches")
        self._memo[index] = self._top()

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise Refused("its pickle takes a value where there is none")
        return self._stack[-1]

    def _pop(self) -> Any:
        value = self._top()
        self._stack.pop()
        return value

    def _pop_group(self) -> list[Any]:
        """Pops the last mark, and returns the values above it."""
        items = []
        while (item := self._stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def _require_container(self) -> None:
        """Requires that the object to fill or build is a value, not a class or a function."""
        if type(self._top()) in {Imported, str}:
            raise Refused("its pickle changes what it imported")


def read_pickle(stream: BinaryIO, findings: Findings) -> None:
    """Records the imports of a pickle; raises Refused if bytes follow it."""
    PickleReader(stream, findings).read()
    if stream.read(1):
        raise Refused("bytes follow the end of its pickle")
