"""Pickles of protocols 0 and 1 by name, as no writer writes them but unpicklers accept them.

Each finally imports `posix.getpid`, which its test prevents.
"""

import random
import struct

RUN = b"cposix\ngetpid\n(tR."


def _padded() -> dict[str, bytes]:
    """Instructions before the import that an unpickler accepts."""
    wide = 70_000
    return {
        "nothing": b"",
        "a mark that is taken back": b"(0",
        "a number in base 16": b"I0x10\n0",
        "a number in base 16, in capitals": b"I0X1F\n0",
        "a number in base 8": b"I010\n0",
        "a number with blanks": b"I 1 \n0",
        "a number with a sign": b"I+1\n0",
        "a number with underscores": b"I1_0\n0",
        "a number and rubbish behind a NUL": b"I1\0rubbish\n0",
        "a number that is a NUL": b"I\0rubbish\n0",
        "a long number in base 16": b"L0x10L\n0",
        "a long number with blanks": b"L 10 L\n0",
        "a long number and rubbish": b"L1\0rubbishL\n0",
        "a fraction and rubbish": b"F1.0\0rubbish\n0",
        "40,000 values that are taken back": b"N0" * 40_000,
        "a long text": b"X" + struct.pack("<I", wide) + b"a" * wide + b"0",
        "long bytes": b"\x8e" + struct.pack("<Q", 3_000_000) + bytes(3_000_000) + b"0",
        "a long line": b"V" + b"a" * wide + b"\n0",
        "an old text": b"S'\\x80'\n0",
        "an object from outside": b"Pabc\n0",
        "another object from outside": b"NQ0",
        "a kept value": b"Np1\n0g1\n0",
        "a kept value, with blanks": b"Np 1 \n0g+1\n0",
        "a kept value behind a NUL": b"Np1\0x\n0",
        "a kept value without a number": b"N\x940h\0" + b"0",
        "a kept value with a long number": b"Nr\1\0\0\0j\1\0\0\0" + b"00",
        "a value twice": b"N200",
        "a frame": b"\x95" + bytes(8),
        "a protocol in the middle": b"N\x80\x040",
        "a value set up with nothing": b"NNb0",
        "a value set up with little": b"NN}\x86b0",
        "an empty list that is filled": b"](e0",
        "an empty mapping that is filled": b"}(u0",
        "an empty set that is filled": b"\x8f(\x900",
        "a list of a mark": b"(lp0\n0",
    }


def hostile() -> dict[str, bytes]:
    found = {f"behind {label}": pad + RUN for label, pad in _padded().items()}
    found["by a stacked name"] = b"\x8c\5posix\x8c\6getpid\x93(tR."
    found["by INST"] = b"(iposix\ngetpid\n."
    return found


def by_chance(chance: random.Random) -> bytes:
    """A stream of instructions that may or may not make sense, with an import in it."""
    steps = [chance.choice(_STEPS) for _ in range(chance.randint(1, 12))]
    return b"".join(code + chance.choice(arguments) for code, arguments in steps) + RUN


def _lines(*texts: bytes) -> list[bytes]:
    return [text + b"\n" for text in texts]


_NUMBERS = _lines(
    b"1", b"0x1f", b" 7", b"7 ", b"-3", b"1_0", b"08", b"1\0x", b"", b"x", b"01", b"7L"
)
_FRACTIONS = _lines(b"1.5", b"1e5", b".5", b"inf", b"-nan", b"1\0x", b" 1", b"", b"1_0.0", b"1e")
_TEXTS = _lines(b"'a'", b'"a"', b"''", b"'a", b"a", b"'\\x41'", b"' '", b"")
_BARE = b"(0012NNNNN)](lt}deasu\x85\x86\x87\x88\x89\x8f\x90\x91\x94bQRo\x81"
_STEPS: list[tuple[bytes, list[bytes]]] = [
    *((bytes([code]), [b""]) for code in _BARE),
    *((code, _NUMBERS) for code in (b"I", b"L", b"p", b"g")),
    *((code, _TEXTS) for code in (b"S", b"V", b"P")),
    *((code, [b"\1", b"\2"]) for code in (b"K", b"q", b"h")),
    *((code, [b"\1a", b"\0"]) for code in (b"U", b"C", b"\x8a", b"\x8c")),
    *((code, [b"\1\0\0\0a", bytes(4)]) for code in (b"X", b"T", b"B", b"\x8b")),
    *((code, [b"\1\0\0\0"]) for code in (b"J", b"r", b"j")),
    *((code, [bytes(8)]) for code in (b"G", b"\x8d", b"\x8e", b"\x95", b"\x96")),
    (b"M", [b"\1\1"]),
    (b"F", _FRACTIONS),
    (b"\x80", [b"\2", b"\5", b"\6"]),
]
