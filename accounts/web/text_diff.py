"""Compares two texts by words, or by lines and then by words. Plain Python."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

#: A word with the white space after it, so that joining the tokens gives the text again.
#: Scripts without spaces between words are compared by character.
_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+\s*|\s+"
)
#: Characters above which a changed passage is not compared by words.
_MAX_PASSAGE = 30_000


@dataclass(frozen=True)
class Part:
    """A passage whose `kind` is `same`, `new` or `gone`."""

    kind: str
    text: str


def diff_words(old: str, new: str) -> list[Part]:
    """Return the differences by words, in order; `gone` precedes the `new` that replaces it."""
    before, after = _TOKEN.findall(old), _TOKEN.findall(new)
    # The white space after words is ignored.
    old_words, new_words = ([one.strip() or " " for one in tokens] for tokens in (before, after))
    matcher = SequenceMatcher(None, old_words, new_words, autojunk=False)
    parts = []
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag != "equal" and b > a:
            parts.append(Part("gone", "".join(before[a:b])))
        if d > c:
            parts.append(Part("same" if tag == "equal" else "new", "".join(after[c:d])))
    return parts


def diff_texts(old: str, new: str) -> list[Part]:
    """Return the differences by lines, and by words in changed lines; fast for long texts."""
    return [
        Part(kind, text)
        for kind, run in groupby(_line_parts(old, new), key=lambda part: part.kind)
        if (text := "".join(part.text for part in run))
    ]


def diff_excerpts(old: str, new: str) -> list[Part]:
    """Like `diff_texts`, with unchanged passages cut to 160 characters next to a change."""
    parts = diff_texts(old, new)
    last = len(parts) - 1
    return [
        part
        if part.kind != "same"
        else Part("same", _cut(part.text, first=number == 0, last=number == last))
        for number, part in enumerate(parts)
    ]


def _line_parts(old: str, new: str) -> Iterator[Part]:
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        gone, added = "".join(before[a:b]), "".join(after[c:d])
        if tag == "equal":
            yield Part("same", added)
        elif len(gone) + len(added) > _MAX_PASSAGE:
            yield from (Part("gone", gone), Part("new", added))
        else:
            yield from diff_words(gone, added)


def _cut(text: str, *, first: bool, last: bool, around: int = 160) -> str:
    head, tail = "" if first else text[:around], "" if last else text[-around:]
    return text if len(text) <= 2 * around else f"{head} … {tail}"
