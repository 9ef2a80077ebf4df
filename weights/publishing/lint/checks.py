"""All checks that need no hashes."""

from collections.abc import Container, Iterable, Iterator

from weights.catalogue import front_matter
from weights.manifests.listing import LFS_SUFFIXES
from weights.publishing import md5_lists
from weights.publishing.lint import card_links, index_files, shard_sets
from weights.publishing.lint.finding import ERROR, WARNING, Finding, Listed, Reader, finding, named

_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
#: Bytes; git-lfs accepts no longer pointer.
_POINTER_MAX_BYTES = 1024


def lint(files: Iterable[Listed], read: Reader, no_pointers: Container[str] = ()) -> list[Finding]:
    """Returns all findings, errors first. `read` is called for small files and starts of files.

    `no_pointers` has the paths of files that are known to be no LFS pointers.
    """
    by_path = {file.path: file for file in sorted(files)}
    sets = shard_sets.shard_sets(by_path.values())
    found = [
        *_pointers(by_path, read, no_pointers),
        *_empty(by_path),
        *shard_sets.gaps(sets),
        *index_files.check(by_path, read),
        *_md5_lists(by_path, read),
        *shard_sets.mixed(sets),
        *shard_sets.odd_sizes(sets),
        *_same_in_lower_case(by_path),
        *_card(by_path, read),
    ]
    return sorted(found, key=lambda one: one.severity != ERROR)


def _pointers(
    files: dict[str, Listed], read: Reader, no_pointers: Container[str]
) -> Iterator[Finding]:
    """Git LFS pointers that were committed or copied in place of the files."""
    small = [
        path
        for path, file in files.items()
        if len(_POINTER) < file.size <= _POINTER_MAX_BYTES and path not in no_pointers
    ]
    pointers = [path for path in small if read(path, len(_POINTER)) == _POINTER]
    if pointers:
        listed = named(pointers, len(pointers))
        sentence = f"Git LFS pointers take the place of files ({listed}); run git lfs pull."
        yield finding("lfs_pointer", ERROR, sentence, pointers)


def _empty(files: dict[str, Listed]) -> Iterator[Finding]:
    empty = [
        path
        for path, file in files.items()
        if not file.size and path.lower().endswith(LFS_SUFFIXES)
    ]
    if empty:
        sentence = f"Empty weight files: {named(empty, len(empty))}."
        yield finding("weights_empty", ERROR, sentence, empty)


def _md5_lists(files: dict[str, Listed], read: Reader) -> Iterator[Finding]:
    """Shards that an MD5 list names and that are missing, if at least one of its shards exists."""
    for path, file in files.items():
        if not path.endswith(".csv") or file.size > md5_lists.MAX_LIST_BYTES:
            continue
        listed = md5_lists.parse(path, read(path, md5_lists.MAX_LIST_BYTES))
        missing = sorted(name for name in listed if name not in files)
        if missing and len(missing) < len(listed):
            sentence = f"{path} lists shards that are missing: {named(missing, len(missing))}."
            yield finding("md5_list_names_missing_file", ERROR, sentence, missing)


def _same_in_lower_case(files: dict[str, Listed]) -> Iterator[Finding]:
    """Names that are equal on case-insensitive file systems."""
    alike: dict[str, list[str]] = {}
    for path in files:
        alike.setdefault(path.casefold(), []).append(path)
    for paths in alike.values():
        if len(paths) > 1:
            sentence = f"{' and '.join(paths)} differ only in case; some systems keep one of them."
            yield finding("names_differ_by_case", WARNING, sentence, paths)


def _card(files: dict[str, Listed], read: Reader) -> Iterator[Finding]:
    """Front matter that cannot be parsed, and missing files that the card shows or links."""
    if (card := files.get("README.md")) is None:
        return
    text = read(card.path, front_matter.READ_BYTES).decode(errors="replace")
    card_text = front_matter.split(text)
    if problem := card_text.problem:
        sentence = f"README.md: the card's front matter could not be read: {problem}."
        yield finding("card_front_matter_unreadable", WARNING, sentence, [card.path])
    yield from card_links.check(card_text.body, files)
