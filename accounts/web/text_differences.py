"""What changed between two texts: lines first, then words inside the lines that changed.

Plain Python. Long texts, such as licences, take no long time so.
"""

from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import groupby

from accounts.web.word_diff import Part, diff

#: Characters of one changed passage beyond which it is shown whole, not word by word.
_MOST = 30_000


def changes(old: str, new: str) -> list[Part]:
    """Both texts in one: what stayed, what went and what came, in the order of reading."""
    return [
        Part(kind, text)
        for kind, run in groupby(_parts(old, new), key=lambda part: part.kind)
        if (text := "".join(part.text for part in run))
    ]


def changed_passages(old: str, new: str, *, around: int = 160) -> list[Part]:
    """As `changes`, with long unchanged runs cut down to `around` characters at each change."""
    parts = changes(old, new)
    last = len(parts) - 1
    return [
        part
        if part.kind != "same"
        else Part("same", _cut(part.text, around, first=number == 0, last=number == last))
        for number, part in enumerate(parts)
    ]


def _parts(old: str, new: str) -> Iterator[Part]:
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        gone, come = "".join(before[a:b]), "".join(after[c:d])
        if tag == "equal":
            yield Part("same", come)
        elif len(gone) + len(come) > _MOST:
            yield from (Part("gone", gone), Part("new", come))
        else:
            yield from diff(gone, come)


def _cut(text: str, around: int, *, first: bool, last: bool) -> str:
    head, tail = "" if first else text[:around], "" if last else text[-around:]
    return text if len(text) <= 2 * around else f"{head} … {tail}"
