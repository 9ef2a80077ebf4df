"""Blobs with their checks, and the files that refer to them."""

from collections.abc import Iterator

from support.population.expressions import Copies, ago, chance, digest
from support.population.numbering import Kind, kinds
from support.population.proportions import Sizes


def tables(base: dict[str, int], sizes: Sizes) -> Iterator[Copies]:
    first, blob = base["Blob"], f"{base['Blob']} + n"
    blobs = sum(kind.blobs for kind in kinds(sizes))
    read = ago(f"90 * {chance('n', 15)}")
    yield "Blob", blobs, {"sha256": digest(blob), "created_at": read, "last_verified_at": read}
    yield "VerificationRun", blobs // 2, {"blob_id": f"{first} + n * 2", "finished_at": read}
    for kind in kinds(sizes):
        yield _files(base, kind)


def _files(base: dict[str, int], kind: Kind) -> Copies:
    revision = f"((n - 1) / {kind.files_each})"
    file = f"((n - 1) % {kind.files_each} + 1)"
    checkpoint = f"({revision} / {kind.revisions_each} + 1)"
    number = f"({revision} % {kind.revisions_each} + 1)"
    return (
        "File",
        kind.files,
        {
            "id": f"{base['File'] + kind.files_before} + n",
            "revision_id": f"{base['Revision'] + kind.revisions_before} + {revision} + 1",
            "path": kind.path(file),
            "blob_id": f"{base['Blob']} + {kind.blob(checkpoint, number, file)}",
            "git_oid": "substr(md5(n::text) || md5((-n)::text), 1, 40)",
        },
    )
