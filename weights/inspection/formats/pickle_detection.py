"""Detects pickles by following their instructions, since old ones have no signature.

An unpickler executes any bytes until they are invalid. This module follows the instructions in
the same way, over the whole file, with a counter instead of a stack. It parses arguments at least
as leniently as Python's C unpickler, which accepts hexadecimal numbers and anything after a NUL.

- With a pickle's file name, bytes are a pickle if an unpickler would reach an import or STOP.
- With other names, bytes are a pickle if an unpickler would run something. In binary data, any
  import counts. In a text, such as a word list, `cat` followed by `dog` looks like an import of
  `dog` from the module `at`; so a text counts only if it imports from Python's standard library,
  or if a call or STOP follows an import, with nothing but identifiers imported before.
"""

import pickletools
import re
import struct
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from weights.inspection.formats.source import Source
from weights.inspection.formats.verdict import Refused

#: Maximum instructions to follow, and bytes to read for them; most files end far sooner.
MAX_STEPS = 1 << 20
MAX_READ_BYTES = 64 * 1024 * 1024
#: Bytes of the first read, doubled each time, and of the largest read.
_FIRST_READ_BYTES, _READ_BYTES = 4 * 1024, 64 * 1024
#: Instructions that only a pickle reaches.
_PROOFS = {"GLOBAL", "INST", "STACK_GLOBAL", "STOP"}
#: Calls, which fail before anything is imported, and references that a loader may resolve.
_CALLS = {"OBJ", "REDUCE", "NEWOBJ", "NEWOBJ_EX"}
_PERSISTENT_IDS = {"PERSID", "BINPERSID"}
#: References to the loading process's extension registry, which is empty.
_REGISTERED = {"EXT1", "EXT2", "EXT4"}
_IMPORTS = {"GLOBAL", "INST", "STACK_GLOBAL"}
#: Instructions that prove a text with an import to be a pickle.
_RUNS = _CALLS | {"STOP"}


def refuse_old_pickle(source: Source) -> None:
    """Raises Refused if the bytes are an old pickle."""
    try:
        if _Interpreter(source).is_pickle():
            raise Refused("its pickle is older than protocol 2")
    except _LimitExceeded:
        raise Refused("it reads as a pickle older than protocol 2 that does not end") from None


def is_executed(source: Source, *, is_text: bool) -> bool:
    """True if an unpickler would run something; raises Refused if finding out takes too long."""
    try:
        return _Execution(source, is_text=is_text).is_pickle()
    except _LimitExceeded:
        raise Refused("it reads as a pickle that does not end") from None


class _LimitExceeded(Exception):
    """MAX_STEPS or MAX_READ_BYTES is exceeded."""


class _NotAPickle(Exception):
    """An unpickler fails at this instruction."""


class _Interpreter:
    """Follows instructions from the start of a file until an unpickler would fail."""

    def __init__(self, source: Source) -> None:
        self._reader = _Reader(source)
        self._depth = 0
        self._marks: list[int] = []
        self._memo: set[int] = set()
        self._proofs = _PROOFS

    def is_pickle(self) -> bool:
        try:
            for _ in range(MAX_STEPS):
                step = _STEPS.get(self._reader.take(1)[0])
                if step is None or step.name in _REGISTERED:
                    return False
                argument = step.read(self._reader)
                if self._is_mark_popped(step):
                    continue
                self._pop(step)
                if self._is_proof(step, argument):
                    return True
                self._push(step, argument)
        except _NotAPickle:
            return False
        raise _LimitExceeded

    def _is_proof(self, step: "_Step", _: Any) -> bool:
        return step.name in self._proofs

    def _is_mark_popped(self, step: "_Step") -> bool:
        """True if POP removes a mark, which it does if no value is above it."""
        if step.name != "POP" or not self._marks or self._marks[-1] != self._depth:
            return False
        self._marks.pop()
        return True

    def _pop(self, step: "_Step") -> None:
        if step.to_mark:
            if not self._marks:
                raise _NotAPickle
            self._depth = self._marks.pop()
        self._depth -= step.pops
        self._require_values(0)

    def _require_values(self, count: int) -> None:
        if self._depth - (self._marks[-1] if self._marks else 0) < count:
            raise _NotAPickle

    def _push(self, step: "_Step", argument: Any) -> None:
        if step.name in _CALLS:
            raise _NotAPickle
        if step.name in _PERSISTENT_IDS:
            self._proofs = _PROOFS | _CALLS | {"BUILD"}
        if step.name == "MARK":
            self._marks.append(self._depth)
            return
        self._depth += step.pushes
        if step.name in {"GET", "BINGET", "LONG_BINGET"} and argument not in self._memo:
            raise _NotAPickle
        if step.name in {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}:
            self._require_values(1)
            self._memo.add(len(self._memo) if step.name == "MEMOIZE" else argument)


class _Execution(_Interpreter):
    """Follows a file like loaders that ignore names: past imports, and past the end of a pickle.

    Loaders read several pickles in a row, and resolve references from the second one on.
    """

    def __init__(self, source: Source, *, is_text: bool) -> None:
        super().__init__(source)
        self._is_text = is_text
        self._has_imported = self._has_ended = False
        self._proofs = set()

    def _is_proof(self, step: "_Step", argument: Any) -> bool:
        if step.name in _IMPORTS:
            if self._runs_import(step.name, argument):
                return True
            self._has_imported = True
            return False
        return (self._has_imported and step.name in _RUNS) or step.name in self._proofs

    def _runs_import(self, instruction: str, names: Any) -> bool:
        if instruction == "STACK_GLOBAL" or not self._is_text:
            return True
        module, name = names
        _require(all(part.isidentifier() for part in f"{module}.{name}".split(".")))
        return instruction == "INST" or module.partition(".")[0] in sys.stdlib_module_names

    def _push(self, step: "_Step", argument: Any) -> None:
        if step.name == "STOP":
            self._has_ended = True
            self._depth = 0
            self._marks.clear()
            self._memo.clear()
            return
        if step.name in _PERSISTENT_IDS and not self._has_ended:
            raise _NotAPickle
        super()._push(step, argument)
        self._proofs = self._proofs & (_CALLS | {"BUILD"})


# -- arguments ----------------------------------------------------------------------------


class _Reader:
    """Reads a file sequentially; skipped bytes are not read from the source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._part, self._at = b"", 0  # the bytes read last, and the position in them
        self._next, self._left, self._length = 0, MAX_READ_BYTES, _FIRST_READ_BYTES

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        if len(self._part) - self._at < length:
            self._read_more()
        taken = self._part[self._at : self._at + length]
        if len(taken) < length:
            raise _NotAPickle
        self._at += length
        return taken

    def skip(self, length: int) -> None:
        self._at += length
        beyond = self._at - len(self._part)
        if beyond > 0:
            self._part, self._at = b"", 0
            self._next += beyond
        if self._next > self._source.size:
            raise _NotAPickle

    def line(self) -> bytes:
        """The bytes up to the next line break, without it.

        Like Python's unpickler and unlike C's, drops the last byte of a line without a line break.
        """
        parts = []
        while (end := self._part.find(b"\n", self._at)) < 0:
            parts.append(self._part[self._at :])
            self._at = len(self._part)
            if not self._read_more():
                _require(any(parts))
                return b"".join(parts)[:-1]
        parts.append(self._part[self._at : end])
        self._at = end + 1
        return b"".join(parts)

    def _read_more(self) -> bool:
        length = min(self._length, self._source.size - self._next)
        self._length = min(2 * self._length, _READ_BYTES)
        self._left -= length
        if self._left < 0:
            raise _LimitExceeded
        content = self._source.read(self._next, max(0, length))
        self._part = self._part[self._at :] + content
        self._next, self._at = self._next + len(content), 0
        return bool(content)


_INTEGER = re.compile(rb"\s*[+-]?(0x[0-9a-f_]+|0o[0-7_]+|0b[01_]+|[0-9_]+)\s*L?\s*", re.IGNORECASE)
_DECIMAL = re.compile(rb"\s*([+-]?[0-9][0-9_]*)\s*")
#: Maximum characters of a memo index, including spaces.
_MAX_INDEX_LENGTH = 100


def _nothing(_: _Reader) -> int:
    return 0


def _number(content: _Reader) -> int:
    """A number; nothing before a NUL means zero."""
    line = content.line()
    _require(_INTEGER.fullmatch(_up_to_nul(line)) or line.startswith(b"\0"))
    return 0


def _memo_index(content: _Reader) -> int:
    found = _DECIMAL.fullmatch(_up_to_nul(content.line())[:_MAX_INDEX_LENGTH])
    index = int(found[1]) if found else -1
    _require(index >= 0)
    return index


def _fraction(content: _Reader) -> int:
    try:
        float(_up_to_nul(content.line()))
    except ValueError:
        raise _NotAPickle from None
    return 0


def _quoted(content: _Reader) -> int:
    text = content.line().strip()
    _require(len(text) >= 2 and text[0] == text[-1] and text[:1] in b"'\"")
    return 0


def _line(content: _Reader) -> int:
    content.line()
    return 0


def _names(content: _Reader) -> tuple[str, str]:
    """The module and the name of an import."""
    try:
        module, name = content.line().decode(), content.line().decode()
    except UnicodeDecodeError:
        raise _NotAPickle from None
    _require(module and name)
    return module, name


def _up_to_nul(text: bytes) -> bytes:
    return text.partition(b"\0")[0]


def _require(holds: object) -> None:
    if not holds:
        raise _NotAPickle


def _fixed(form: str) -> "Read":
    of = struct.Struct(form)

    def read(content: _Reader) -> int:
        return int(of.unpack(content.take(of.size))[0])

    return read


def _sized(form: str) -> "Read":
    length = _fixed(form)

    def read(content: _Reader) -> int:
        size = length(content)
        _require(size >= 0)
        content.skip(size)
        return 0

    return read


Read = Callable[[_Reader], Any]
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
    """An instruction: its argument's parser, and how many values it pops and pushes.

    With `to_mark`, it first pops down to the last mark.
    """

    name: str
    read: Read
    to_mark: bool
    pops: int
    pushes: int


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
        return _memo_index if opcode.name in {"PUT", "GET"} else _LINES[argument.name]
    return _fixed(_FIXED[argument.n]) if argument.n > 0 else _sized(_SIZED[argument.n])


_STEPS = {ord(opcode.code): _step(opcode) for opcode in pickletools.opcodes}
