"""Pickles before protocol 2 have no signature, so whether bytes are one shows in following them.

An unpickler takes any bytes and goes as far as they make sense. They are followed here as far,
over the whole file, with a count in place of the stack: where an unpickler would come to import
something, or to its end, the bytes are a pickle. Arguments are taken at least as leniently as by
Python's unpickler in C, for which a number may be hexadecimal, or have rubbish behind a NUL.
"""

import pickletools
import re
import struct
from collections.abc import Callable
from typing import NamedTuple

from weights.inspection.formats.source import Source
from weights.inspection.formats.verdict import Refused

#: Instructions followed, and bytes read for that, at most. What is no pickle ends far sooner.
STEPS_MOST = 1 << 20
READ_MOST = 64 * 1024 * 1024
_AT_ONCE = 64 * 1024
#: Only a pickle comes to one of these.
_SHOWS = {"GLOBAL", "INST", "STACK_GLOBAL", "STOP"}
#: Calls, which fail where nothing was imported; who loads may let objects of his own be named.
_CALLS = {"OBJ", "REDUCE", "NEWOBJ", "NEWOBJ_EX"}
_OWN = {"PERSID", "BINPERSID"}
#: They name what is registered in the process that loads, which is nothing.
_REGISTERED = {"EXT1", "EXT2", "EXT4"}


def demand_none(source: Source) -> None:
    """Raise Refused where an unpickler would make something of these bytes."""
    try:
        if _Walk(source).comes_to_something():
            raise Refused("its pickle is older than protocol 2")
    except _Endless:
        raise Refused("it reads as a pickle older than protocol 2 that does not end") from None


class _Endless(Exception):
    """To follow it further would take too much."""


class _Senseless(Exception):
    """Here an unpickler ends with an error."""


class _Walk:
    """One pass from the start of a file, up to where an unpickler would fail."""

    def __init__(self, source: Source) -> None:
        self._bytes = _Bytes(source)
        self._depth = 0
        self._marks: list[int] = []
        self._kept: set[int] = set()
        self._shows = _SHOWS

    def comes_to_something(self) -> bool:
        try:
            for _ in range(STEPS_MOST):
                step = _STEPS.get(self._bytes.take(1)[0])
                if step is None or step.name in _REGISTERED:
                    return False
                argument = step.read(self._bytes)
                if self._is_mark_popped(step):
                    continue
                self._take(step)
                if step.name in self._shows:
                    return True
                self._give(step, argument)
        except _Senseless:
            return False
        raise _Endless

    def _is_mark_popped(self, step: "_Step") -> bool:
        """POP takes a mark off where there is no value above it."""
        if step.name != "POP" or not self._marks or self._marks[-1] != self._depth:
            return False
        self._marks.pop()
        return True

    def _take(self, step: "_Step") -> None:
        if step.to_mark:
            if not self._marks:
                raise _Senseless
            self._depth = self._marks.pop()
        self._depth -= step.takes
        self._demand_above(0)

    def _demand_above(self, count: int) -> None:
        if self._depth - (self._marks[-1] if self._marks else 0) < count:
            raise _Senseless

    def _give(self, step: "_Step", argument: int) -> None:
        if step.name in _CALLS:
            raise _Senseless
        if step.name in _OWN:
            self._shows = _SHOWS | _CALLS | {"BUILD"}
        if step.name == "MARK":
            self._marks.append(self._depth)
            return
        self._depth += step.gives
        if step.name in {"GET", "BINGET", "LONG_BINGET"} and argument not in self._kept:
            raise _Senseless
        if step.name in {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}:
            self._demand_above(1)
            self._kept.add(len(self._kept) if step.name == "MEMOIZE" else argument)


# -- arguments ----------------------------------------------------------------------------


class _Bytes:
    """A file read onwards, long stretches of which are passed over unread."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._part, self._at = b"", 0  # what was read last, and how far it was used
        self._next, self._left = 0, READ_MOST

    def take(self, length: int) -> bytes:
        """The next few bytes."""
        if len(self._part) - self._at < length:
            self._more()
        found = self._part[self._at : self._at + length]
        if len(found) < length:
            raise _Senseless
        self._at += length
        return found

    def skip(self, length: int) -> None:
        self._at += length
        beyond = self._at - len(self._part)
        if beyond > 0:
            self._part, self._at = b"", 0
            self._next += beyond
        if self._next > self._source.size:
            raise _Senseless

    def line(self) -> bytes:
        """Up to the next line break, without it."""
        parts = []
        while (end := self._part.find(b"\n", self._at)) < 0:
            parts.append(self._part[self._at :])
            self._at = len(self._part)
            if not self._more():
                raise _Senseless
        parts.append(self._part[self._at : end])
        self._at = end + 1
        return b"".join(parts)

    def _more(self) -> bool:
        length = min(_AT_ONCE, self._source.size - self._next)
        self._left -= length
        if self._left < 0:
            raise _Endless
        self._part = self._part[self._at :] + self._source.read(self._next, length)
        self._next, self._at = self._next + length, 0
        return length > 0


_INTEGER = re.compile(rb"\s*[+-]?(0x[0-9a-f_]+|0o[0-7_]+|0b[01_]+|[0-9_]+)\s*L?\s*", re.IGNORECASE)
_DECIMAL = re.compile(rb"\s*([+-]?[0-9][0-9_]*)\s*")
#: Characters of a number that fits an index, with its blanks.
_PLACE_MOST = 100


def _nothing(_: _Bytes) -> int:
    return 0


def _number(content: _Bytes) -> int:
    _demand(_INTEGER.fullmatch(_up_to_nul(content.line())))
    return 0


def _place(content: _Bytes) -> int:
    """The number under which a value is kept."""
    found = _DECIMAL.fullmatch(_up_to_nul(content.line())[:_PLACE_MOST])
    place = int(found[1]) if found else -1
    _demand(place >= 0)
    return place


def _fraction(content: _Bytes) -> int:
    try:
        float(_up_to_nul(content.line()))
    except ValueError:
        raise _Senseless from None
    return 0


def _quoted(content: _Bytes) -> int:
    text = content.line().strip()
    _demand(len(text) >= 2 and text[0] == text[-1] and text[:1] in b"'\"")
    return 0


def _line(content: _Bytes) -> int:
    content.line()
    return 0


def _names(content: _Bytes) -> int:
    try:
        for _ in range(2):
            _demand(content.line().decode())
    except UnicodeDecodeError:
        raise _Senseless from None
    return 0


def _up_to_nul(text: bytes) -> bytes:
    return text.partition(b"\0")[0]


def _demand(holds: object) -> None:
    if not holds:
        raise _Senseless


def _fixed(form: str) -> "Read":
    of = struct.Struct(form)

    def read(content: _Bytes) -> int:
        return int(of.unpack(content.take(of.size))[0])

    return read


def _sized(form: str) -> "Read":
    length = _fixed(form)

    def read(content: _Bytes) -> int:
        told = length(content)
        _demand(told >= 0)
        content.skip(told)
        return 0

    return read


Read = Callable[[_Bytes], int]
_LINES: dict[str, Read] = {
    **{"decimalnl_short": _number, "decimalnl_long": _number, "floatnl": _fraction},
    **{"stringnl": _quoted, "stringnl_noescape": _line, "stringnl_noescape_pair": _names},
    **{"unicodestringnl": _line},
}
_FIXED = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
_SIZED = {
    pickletools.TAKEN_FROM_ARGUMENT1: "<B",
    pickletools.TAKEN_FROM_ARGUMENT4: "<i",
    pickletools.TAKEN_FROM_ARGUMENT4U: "<I",
    pickletools.TAKEN_FROM_ARGUMENT8U: "<Q",
}


# -- instructions -------------------------------------------------------------------------


class _Step(NamedTuple):
    """What one instruction reads, takes off the stack (down to a mark first) and puts on it."""

    name: str
    read: Read
    to_mark: bool
    takes: int
    gives: int


def _step(opcode: "pickletools.OpcodeInfo") -> _Step:
    takes = opcode.stack_before
    to_mark = pickletools.markobject in takes
    if to_mark:
        takes = takes[: takes.index(pickletools.markobject)]
    return _Step(opcode.name, _reader(opcode), to_mark, len(takes), len(opcode.stack_after))


def _reader(opcode: "pickletools.OpcodeInfo") -> Read:
    argument = opcode.arg
    if argument is None:
        return _nothing
    if argument.n == pickletools.UP_TO_NEWLINE:
        return _place if opcode.name in {"PUT", "GET"} else _LINES[argument.name]
    return _fixed(_FIXED[argument.n]) if argument.n > 0 else _sized(_SIZED[argument.n])


_STEPS = {ord(opcode.code): _step(opcode) for opcode in pickletools.opcodes}
