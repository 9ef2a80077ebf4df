"""What changed between two texts, word by word: plain Python."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

#: A word with the blanks after it, so that the parts put together give the text again.
#: Scripts without blanks between words are compared sign by sign.
_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+\s*|\s+"
)


@dataclass(frozen=True)
class Part:
    """A run of words that is `same`, `new` or `gone`."""

    kind: str
    text: str


def diff(before: str, after: str) -> list[Part]:
    """The parts of both texts in reading order; what is gone stands before what came for it."""
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    matcher = SequenceMatcher(None, [_bare(one) for one in old], [_bare(one) for one in new], False)
    parts: list[Part] = []
    for move, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if move == "equal":
            parts.append(Part("same", "".join(new[new_from:new_to])))
            continue
        if old_to > old_from:
            parts.append(Part("gone", "".join(old[old_from:old_to])))
        if new_to > new_from:
            parts.append(Part("new", "".join(new[new_from:new_to])))
    return parts


def _bare(token: str) -> str:
    """A word counts as the same however it is spaced."""
    return token.strip() or " "
