"""What changed between two texts, word by word: plain Python, no records."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

#: Words of a text beyond which it is compared line by line only.
_MOST_WORDS = 6000
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True)
class Piece:
    """A run of text: `same`, `added` or `removed`."""

    kind: str
    text: str


def words(old: str, new: str) -> list[Piece]:
    """Both texts in one: what stayed, what went and what came, in the order of reading.

    Lines are compared first and words inside the lines that changed, so that long texts
    take no long time.
    """
    pieces: list[Piece] = []
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        gone, come = "".join(before[a:b]), "".join(after[c:d])
        if tag == "equal":
            pieces.append(Piece("same", come))
        else:
            pieces.extend(_inside(gone, come))
    return _joined(pieces)


def changed_passages(old: str, new: str, *, around: int = 160) -> list[Piece]:
    """As `words`, with long unchanged runs cut down to `around` characters at each change."""
    pieces = words(old, new)
    last = len(pieces) - 1
    return [
        piece
        if piece.kind != "same"
        else Piece("same", _cut(piece.text, around, first=number == 0, last=number == last))
        for number, piece in enumerate(pieces)
    ]


def _inside(gone: str, come: str) -> Iterator[Piece]:
    """Word by word; a blank between two changes belongs to both, so that each reads whole."""
    before, after = _WORDS.findall(gone), _WORDS.findall(come)
    if len(before) + len(after) > _MOST_WORDS:
        yield from (Piece("removed", gone), Piece("added", come))
        return
    removed, added = "", ""
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        stayed = "".join(after[c:d])
        if tag == "equal" and (stayed.strip() or not (removed or added)):
            yield from (Piece("removed", removed), Piece("added", added), Piece("same", stayed))
            removed = added = ""
        else:
            removed, added = removed + "".join(before[a:b]), added + stayed
    yield from (Piece("removed", removed), Piece("added", added))


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Neighbours of one kind as one piece, empty ones left out."""
    kept = [piece for piece in pieces if piece.text]
    return [
        Piece(kind, "".join(piece.text for piece in run))
        for kind, run in groupby(kept, key=lambda piece: piece.kind)
    ]


def _cut(text: str, around: int, *, first: bool, last: bool) -> str:
    head, tail = "" if first else text[:around], "" if last else text[-around:]
    return text if len(text) <= 2 * around else f"{head} … {tail}"
