"""A pickle is a program; it is read here as text is read, and never run.

The stack is followed with stand-ins for values, so that what is imported and what is called
is known at every instruction, and a stream that no unpickler would finish is refused.
"""

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

from weights.inspection.formats.findings import Findings
from weights.inspection.formats.verdict import Refused

#: Bytes of one pickle at most.
MOST = 64 * 1024 * 1024
_MEMO_MOST = 1 << 24


class Imported(NamedTuple):
    """Stands for what a name means."""

    module: str
    name: str


#: Stand for the start of a group, and for any value that is neither text nor import.
_MARK, _VALUE = object(), object()

_PLAIN = {
    *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("EMPTY_LIST", "EMPTY_TUPLE", "EMPTY_DICT", "EMPTY_SET"),
}
_TEXT = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_GROUPS = {"TUPLE", "FROZENSET"}
#: How many values each takes off the stack before the container that it fills.
_FILLS = {"APPEND": 1, "SETITEM": 2}
_FILL_GROUPS = {"APPENDS", "SETITEMS", "ADDITEMS"}


class Walk:
    """One pass over one stream, up to its STOP."""

    def __init__(self, stream: BinaryIO, findings: Findings) -> None:
        self._stream = stream
        self._findings = findings
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def to_its_end(self) -> None:
        """Note what it imports; raises Refused where it cannot be followed."""
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
        elif name in _TEXT:
            push(argument)
        elif name == "MARK":
            push(_MARK)
        elif name in _TUPLES:
            for _ in range(_TUPLES[name]):
                self._pop()
            push(_VALUE)
        elif name in _GROUPS:
            self._pop_group()
            push(_VALUE)
        elif name in _FILLS:
            for _ in range(_FILLS[name]):
                self._pop()
            self._demand_container()
        elif name in _FILL_GROUPS:
            self._pop_group()
            self._demand_container()
        elif name == "PROTO":
            if not first or not 2 <= argument <= 5:
                raise Refused("its pickle names its protocol wrongly")
        elif name == "STOP":
            self._pop()
        elif name != "FRAME":
            self._rare(name, argument)

    def _rare(self, name: str, argument: Any) -> None:
        act: Callable[[Any], None] | None = getattr(self, f"_on_{name.lower()}", None)
        if act is None:
            raise Refused(f"its pickle uses {name}, which no current writer needs")
        act(argument)

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

    def _call(self, what: Any) -> None:
        if type(what) is not Imported:
            raise Refused("its pickle calls something that it did not import by name")
        self._stack.append(_VALUE)

    def _on_build(self, _: Any) -> None:
        self._pop()
        self._demand_container()

    def _on_binpersid(self, _: Any) -> None:
        self._pop()
        self._stack.append(_VALUE)

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
        self._keep(len(self._memo))

    def _on_binput(self, place: int) -> None:
        self._keep(place)

    _on_long_binput = _on_binput

    def _on_binget(self, place: int) -> None:
        self._stack.append(self._memo[place])

    _on_long_binget = _on_binget

    def _keep(self, place: int) -> None:
        if place > _MEMO_MOST:
            raise Refused("its pickle keeps a value under a number that no writer reaches")
        self._memo[place] = self._top()

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise Refused("its pickle takes a value where there is none")
        return self._stack[-1]

    def _pop(self) -> Any:
        found = self._top()
        self._stack.pop()
        return found

    def _pop_group(self) -> None:
        while self._stack.pop() is not _MARK:
            pass

    def _demand_container(self) -> None:
        """What is filled or set up must be a value, never a class or a function."""
        if type(self._top()) in {Imported, str}:
            raise Refused("its pickle changes what it imported")


def one_stream(stream: BinaryIO, findings: Findings) -> None:
    """Note the imports of a stream that ends where the bytes end; raises Refused."""
    Walk(stream, findings).to_its_end()
    if stream.read(1):
        raise Refused("bytes follow the end of its pickle")
