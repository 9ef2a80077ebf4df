"""Groups shards of one model by their names; reports missing, odd and duplicate ones.

Two layouts are recognised: metaseq's grid of parts and shards
(`checkpoint_last-model_part-7-shard93.pt`) and the Hub's `model-00001-of-00005.safetensors`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice, product
from statistics import median

from weights.publishing.lint.finding import (
    ERROR,
    MAX_PATHS,
    WARNING,
    Finding,
    Listed,
    finding,
    named,
)

_GRID = re.compile(r"((?:.*-)?)model_part-(\d{1,6})(?:-shard(\d{1,6}))?\.pt")
_OF = re.compile(r"(.+)-(\d{1,6})-of-(\d{1,6})(\.(?:safetensors|bin|pt|pth|ckpt|gguf|h5|msgpack))")
#: Bytes; smaller shards may legitimately be equal, such as those of a run that has just begun.
DUPLICATE_MIN_BYTES = 4096
#: Number of shards from which sizes are compared with their median.
_MIN_SHARDS = 4


@dataclass
class ShardSet:
    """Shards of one series by (part, shard); `of` is the total that their names state."""

    name: str
    width: int = 0
    of: int | None = None
    members: dict[tuple[int, int], Listed] = field(default_factory=dict)

    @property
    def last(self) -> Listed | None:
        """The last shard of a numbered series, which holds the remainder."""
        return self.members[max(self.members)] if self.of is not None else None

    def gaps(self) -> tuple[int, list[str]]:
        """The number of missing shards, and the first MAX_PATHS of their names."""
        parts, shards = self._expected()
        expected = len(parts) * len(shards)
        present = sum(part in parts and shard in shards for part, shard in self.members)
        # Lazy, since numbers in hostile names can span a huge grid.
        missing = (place for place in product(parts, shards) if place not in self.members)
        return expected - present, [self.path(*place) for place in islice(missing, MAX_PATHS)]

    def _expected(self) -> tuple[range, range]:
        """Part and shard numbers of a complete set; both layouts begin at 0 or 1."""
        numbers = sorted(shard for _, shard in self.members)
        begin = min(numbers[0], 1)
        if self.of is not None:
            return range(1), range(begin, begin + self.of)
        parts = sorted(part for part, _ in self.members)
        first = min(parts[0], 1)
        return range(first, parts[-1] + 1), range(begin, numbers[-1] + 1)

    def path(self, part: int, shard: int) -> str:
        if self.of is not None:
            return self.name.replace("*", f"{shard:0{self.width}}", 1)
        name = self.name.replace("*", str(part), 1)
        return name.replace("*", str(shard), 1)


def shard_sets(files: Iterable[Listed]) -> list[ShardSet]:
    found: dict[str, ShardSet] = {}
    for file in files:
        folder, slash, name = file.path.rpartition("/")
        if match := _GRID.fullmatch(name):
            shard = "" if match[3] is None else "-shard*"
            key = f"{folder}{slash}{match[1]}model_part-*{shard}.pt"
            place = int(match[2]), int(match[3] or 0)
            found.setdefault(key, ShardSet(key)).members[place] = file
        elif match := _OF.fullmatch(name):
            key = f"{folder}{slash}{match[1]}-*-of-{match[3]}{match[4]}"
            one = found.setdefault(key, ShardSet(key, len(match[2]), int(match[3])))
            one.members[0, int(match[2])] = file
    return list(found.values())


def gaps(sets: Iterable[ShardSet]) -> Iterator[Finding]:
    for one in sets:
        count, missing = one.gaps()
        if count:
            subject = "1 shard is" if count == 1 else f"{count} shards are"
            sentence = f"{subject} missing from {one.name}: {named(missing, count)}."
            yield finding("shard_missing", ERROR, sentence, missing)


def mixed(sets: Iterable[ShardSet]) -> Iterator[Finding]:
    """Series of one name that state different totals."""
    series: dict[str, list[ShardSet]] = {}
    for one in sets:
        if one.of is not None:
            series.setdefault(re.sub(r"-of-\d+", "-of-*", one.name), []).append(one)
    for name, several in series.items():
        if len(several) > 1:
            numbers = ", ".join(str(one.of) for one in several)
            sentence = f"{name} is present in several series, of {numbers} shards."
            paths = [file.path for one in several for file in one.members.values()]
            yield finding("shard_series_mixed", WARNING, sentence, paths)


def odd_sizes(sets: Iterable[ShardSet]) -> Iterator[Finding]:
    """Shards of less than half or more than twice the usual size; the last may be small."""
    for one in sets:
        sizes = [file.size for file in one.members.values()]
        if len(sizes) < _MIN_SHARDS:
            continue
        usual = median(sizes)
        odd = [
            file
            for file in one.members.values()
            if file.size > 2 * usual or (2 * file.size < usual and file != one.last)
        ]
        if odd:
            paths = [file.path for file in odd]
            sizes_of = f"{odd[0].size} bytes; the median is {usual:.0f}"
            sentence = f"Unusual sizes in {one.name}: {named(paths, len(paths))} ({sizes_of})."
            yield finding("shard_size_odd", WARNING, sentence, paths)


def duplicates(files: Iterable[Listed]) -> list[Finding]:
    """Shards of one set with equal content: at least one of them must be wrong."""
    found = []
    for one in shard_sets(files):
        alike: dict[str, list[str]] = {}
        for file in one.members.values():
            if file.size >= DUPLICATE_MIN_BYTES:
                alike.setdefault(file.sha256, []).append(file.path)
        for sha256, paths in alike.items():
            if len(paths) > 1:
                same = f"have the same content (SHA-256 {sha256[:12]}…)"
                sentence = f"{_first_two(paths)} {same}."
                found.append(finding("shard_duplicate", WARNING, sentence, paths))
    return found


def _first_two(paths: list[str]) -> str:
    others = len(paths) - 2
    more = f" and {others} more {'shard' if others == 1 else 'shards'}" if others else ""
    return f"{' and '.join(paths[:2])}{more}"
