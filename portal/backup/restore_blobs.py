"""The blobs of a backup, back into the store of the settings."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from portal.backup import layout
from portal.backup.layout import BlobLine, Statement
from portal.backup.progress import Bar
from portal.errors import BackupError
from weights.manifests import checking
from weights.manifests.checking import Proof
from weights.storage import BlobStorage, blob_storage, migration, store_at
from weights.storage.hashing import holds
from weights.storage.migration import Wanted
from weights.storage.models import Blob


@dataclass(frozen=True)
class Source:
    """Where blobs come from, which ones, and which of them it never had."""

    store: BlobStorage
    blobs: list[BlobLine]
    damaged: frozenset[str]


def source(folder: Path, statement: Statement, named: str, *, without: bool) -> Source | None:
    """None where nothing is to be copied: the store still stands. Raises BackupError."""
    if without:
        return None
    target = blob_storage()
    store = store_at(layout.blobs_at(folder, statement, named))
    if store.address == target.address:
        if named or statement.blobs == layout.BESIDE:
            raise BackupError(
                f"WEIGHTS_STORAGE is {target.address}, where the backup's own blobs are; name"
                " another store, so that the backup stays one"
            )
        return None
    damaged = frozenset(line.partition(":")[0] for line in statement.damaged)
    return Source(store, list(layout.blob_list(folder)), damaged)


def demand_fit(source: Source, bar: Bar, *, unread: bool, incomplete: bool) -> None:
    """Refuse a store that holds other bytes under a blob's name, and a source that lacks blobs.

    With `unread` what the store holds already is read, since nobody knows who put it there.
    """
    target = blob_storage()
    held = [blob for blob in source.blobs if target.size(blob.sha256) is not None]
    with bar(sum(blob.size for blob in held) if unread else 0, "Reading") as advance:
        for blob in held:
            if not holds(target, blob.sha256, blob.size, advance if unread else None):
                raise BackupError(
                    f"{target.address} holds other bytes under the name of blob {blob.sha256};"
                    " name an empty store as WEIGHTS_STORAGE, or remove that one, then run the"
                    " same again"
                )
    if not incomplete:
        _demand_there(source, {blob.sha256 for blob in held})


def _demand_there(source: Source, held: set[str]) -> None:
    wanted = [blob for blob in source.blobs if blob.sha256 not in held | source.damaged]
    lacking = [blob for blob in wanted if source.store.size(blob.sha256) != blob.size]
    if len(lacking) == len(wanted) > 0:
        raise BackupError(
            f"{source.store.address} holds none of the backup's {len(wanted)} blobs; name the store"
            " that does by --blobs, or leave them out by --no-blobs where the portal's own still"
            " stands"
        )
    if lacking:
        raise BackupError(
            f"the backup is damaged: {source.store.address} lacks {len(lacking)} of its blobs, such"
            f" as {lacking[0].sha256}; name a store that has them by --blobs, or restore the rest"
            " by --incomplete"
        )


def copy(source: Source, say: Callable[[str], None], bar: Bar) -> list[str]:
    """Copy what does not stand there yet, each proved by its hash; what failed.

    What stood there before was read by `demand_fit`.
    """
    wanted = [blob for blob in source.blobs if blob.sha256 not in source.damaged]
    blob_storage().set_up()
    with bar(sum(blob.size for blob in wanted), "Copying") as advance:
        listed = (Wanted(blob.sha256, blob.size) for blob in wanted)
        moved = migration.move_listed(
            listed, source.store, blob_storage(), advance, trust_size=True
        )
    say(
        f"blobs: copied {moved.copied} ({moved.copied_bytes} bytes), present {moved.present},"
        f" failed {len(moved.failures)}"
    )
    if source.damaged:
        say(f"blobs: {len(source.damaged)} were damaged before the backup and are not in it")
    for sha256, why in moved.failures:
        say(f"  {sha256}: {why}")
    return ["some blobs"] if moved.failures or source.damaged else []


def prove(
    store: BlobStorage, say: Callable[[str], None], bar: Bar, *, sample: int | None = None
) -> Proof:
    """Hold every manifest against the bytes of a store, and tell what was found."""
    with bar(checking.bytes_to_read(sample), "Reading") as advance:
        proof = checking.prove(store, sample=sample, progress=advance)
    for line in [*proof.lines(), *(f"  {fault}" for fault in proof.faults)]:
        say(line)
    return proof


def forget_marks() -> None:
    """What the database knows of the stored bytes is of a store that is gone.

    By it every file would count as written to, and an address would lead to a version that is
    not there. Without a mark a blob is judged by its size.
    """
    Blob.objects.exclude(mark="", version="").update(mark="", version="", version_in="")


@transaction.atomic
def take_marks(proof: Proof, store: BlobStorage) -> None:
    """Let the store's marks be those of the bytes that were just read and are good."""
    for good in proof.good:
        Blob.objects.filter(pk=good.blob_id).update(
            mark=good.mark, version=good.version, version_in=store.address
        )
