"""Restore a portal from a backup into an empty install.

All refusals come first, then the keys, the database in one step, the migrations of a newer
version, and the blobs one by one. Each step skips what is already done, so the same command
continues an interrupted run.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection, transaction

from accounts.audit.models import AuditEvent
from accounts.encryption import key_rotation
from accounts.mail.models import OutgoingMail
from accounts.management import progress_bars
from portal.audit.event_tags import PortalEvent
from portal.backup import copied_heads, keys, layout, signature
from portal.backup.keys import RestoredKey
from portal.backup.layout import Index
from portal.databases import checks, postgres, sqlite, state
from portal.databases.dumps import BlobLine
from portal.databases.state import RestoreMark
from portal.errors import BackupError
from portal.supervisor import install_lock
from weights.manifests import store_check
from weights.manifests.store_check import StoreReport
from weights.storage import BlobStorage, blob_storage, migration, store_at
from weights.storage.hashing import holds
from weights.storage.migration import BlobToCopy
from weights.storage.models import Blob
from weights.uploads.models import Upload
from weights.uploads.xet.models import StagedXorb

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """`blobs` is the address of the backup's blobs, if they were moved."""

    blobs: str = ""
    without_blobs: bool = False
    #: Restore a backup that lacks some of its blobs.
    incomplete: bool = False
    #: How many random blobs to read at the end, instead of all.
    sample: int | None = None
    #: Make new keys instead of restoring the backup's, which may be lost.
    without_keys: bool = False
    #: The only trusted key, as `name+id+key`; if empty, the keys trusted here.
    vkey: str = ""
    unsigned: bool = False
    #: Restore an earlier state than a head at AUDIT_HEAD_COPY shows.
    accept_rollback: bool = False


@dataclass
class Restored:
    """A restored portal; `failed` names the checks that failed."""

    taken_at: str
    keys: list[RestoredKey] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    without_keys: bool = False


def restore(folder: Path, options: Options, say: Say) -> Restored:
    """Restore the backup in `folder`.

    Raises BackupError, QuickstartError while the install runs, and the errors of database and
    stores.
    """
    with install_lock.lock_if_embedded():
        signature.check(folder, say, vkey=options.vkey, unsigned=options.unsigned)
        index = layout.read(folder, without_keys=options.without_keys)
        say(index.summary())
        _check_vendor(index)
        mark = RestoreMark(layout.identity(folder), index.taken_at)
        continues = _continues(mark)
        copied_heads.refuse_rollback(index, accept=options.accept_rollback or continues)
        if not options.without_keys:
            keys.check(folder / layout.KEYS)
        source = None if options.without_blobs else blob_source(folder, index, options.blobs)
        if source is not None:
            check_stores(source, read=not continues, incomplete=options.incomplete)

        restored = Restored(index.taken_at, without_keys=options.without_keys)
        restored.keys = _restore_keys(folder, options, say)
        if continues:
            say("database: restored before")
        else:
            vendor = postgres if index.vendor == "postgresql" else sqlite
            vendor.restore(folder / index.database, mark)
            say("database: restored")
        checks.apply_migrations(say)
        record(mark)
        restored.failed = _finish(source, options, say)
        return restored


def _restore_keys(folder: Path, options: Options, say: Say) -> list[RestoredKey]:
    found = keys.make_new() if options.without_keys else keys.restore(folder / layout.KEYS)
    for key in found:
        say(f"keys: {key.name} {key.outcome}")
    return found


# -- refusals -------------------------------------------------------------------------------


def _check_vendor(index: Index) -> None:
    if index.vendor == connection.vendor:
        return
    ours = "PostgreSQL" if connection.vendor == "postgresql" else "SQLite"
    remedy = (
        "set DATABASE_URL=postgres://… to an empty database"
        if index.vendor == "postgresql"
        else "restore with DATABASE_URL=sqlite:////path/to/new.sqlite3, then run manage.py"
        " move_database postgres://… (docs/operating.md)"
    )
    raise BackupError(
        f"the backup is of {index.server}, and the database of DATABASE_URL is {ours}; {remedy}"
    )


def _continues(wanted: RestoreMark) -> bool:
    """True if an earlier run restored this database. Raises BackupError if it is in use."""
    existing, in_use = state.restore_mark(), state.rows_in_use()
    if existing is not None and existing.backup == wanted.backup:
        return bool(in_use)
    if in_use:
        origin = f", restored from the backup of {existing.taken_at}" if existing else ""
        name = connection.settings_dict["NAME"]
        remedy = (
            "create an empty one (createdb) and set DATABASE_URL to it"
            if connection.vendor == "postgresql"
            else f"move {name} to another place, or set DATABASE_URL to another file"
        )
        raise BackupError(
            f"the database is not empty ({in_use}{origin}); {remedy}, then run the same command"
            " again"
        )
    state.refuse_foreign_tables()
    return False


@dataclass(frozen=True)
class BlobSource:
    """The store of a backup's blobs, their list, and those that could not be backed up."""

    store: BlobStorage
    blobs: list[BlobLine]
    damaged: frozenset[str]


def blob_source(folder: Path, index: Index, moved_to: str) -> BlobSource | None:
    """The store to copy blobs from; None if the portal's has them. Raises BackupError."""
    target = blob_storage()
    store = store_at(layout.blob_address(folder, index, moved_to))
    if store.address == target.address:
        if moved_to or index.blobs == layout.BESIDE:
            raise BackupError(
                f"WEIGHTS_STORAGE is {target.address}, the store of the backup; use another store,"
                " so that the backup remains usable"
            )
        return None
    damaged = frozenset(line.partition(":")[0] for line in index.damaged)
    return BlobSource(store, list(layout.blob_list(folder)), damaged)


def check_stores(source: BlobSource, *, read: bool, incomplete: bool) -> None:
    """Refuse a target with other bytes under a blob's name, and a source that lacks blobs.

    With `read` the blobs in the target are hashed, otherwise only their sizes are compared. Raises
    BackupError.
    """
    target = blob_storage()
    existing = [blob for blob in source.blobs if target.size(blob.sha256) is not None]
    total = sum(blob.size for blob in existing) if read else 0
    with progress_bars.lazy_bar(total, "Reading") as advance:
        for blob in existing:
            if not holds(target, blob.sha256, blob.size, advance if read else None):
                raise BackupError(
                    f"{target.address} has other bytes under the name of blob {blob.sha256};"
                    " set WEIGHTS_STORAGE to an empty store, or remove that blob, then run the"
                    " same command again"
                )
    if not incomplete:
        _check_complete(source, {blob.sha256 for blob in existing})


def _check_complete(source: BlobSource, existing: set[str]) -> None:
    wanted = [blob for blob in source.blobs if blob.sha256 not in existing | source.damaged]
    missing = [blob for blob in wanted if source.store.size(blob.sha256) != blob.size]
    if len(missing) == len(wanted) > 0:
        raise BackupError(
            f"{source.store.address} has none of the backup's {len(wanted)} blobs; name the store"
            " that has them with --blobs, or skip them with --no-blobs if the portal's own store"
            " still exists"
        )
    if missing:
        raise BackupError(
            f"the backup is damaged: {source.store.address} lacks {len(missing)} of its blobs, such"
            f" as {missing[0].sha256}; name a store that has them with --blobs, or restore the rest"
            " with --incomplete"
        )


# -- after the database ---------------------------------------------------------------------


@transaction.atomic
def record(mark: RestoreMark) -> None:
    """Record the restore in the audit trail, once."""
    events = AuditEvent.objects.filter(action=PortalEvent.PORTAL_RESTORED)
    if not events.filter(details__backup=mark.backup).exists():
        AuditEvent.record(PortalEvent.PORTAL_RESTORED, details=mark._asdict())


def _finish(source: BlobSource | None, options: Options, say: Say) -> list[str]:
    """Copy the blobs and run the checks; returns what failed."""
    failed = []
    if source is not None:
        failed += copy_blobs(source, say)
        forget_marks()
        # A backup contains neither uploads without a commit nor staged data.
        Upload.objects.all().delete()
        StagedXorb.objects.all().delete()
    failed += checks.check_audit_trail(say)
    failed += copied_heads.compare(say, accept=options.accept_rollback)
    total = store_check.bytes_to_read(options.sample)
    with progress_bars.lazy_bar(total, "Reading") as advance:
        proof = store_check.check_store(blob_storage(), sample=options.sample, progress=advance)
    for line in [*proof.lines(), *(f"  {fault}" for fault in proof.faults)]:
        say(line)
    take_marks(proof, blob_storage())
    if proof.faults:
        failed.append("the manifests")
    return failed


def copy_blobs(source: BlobSource, say: Say) -> list[str]:
    """Copy the blobs that the portal's store lacks, each checked by its hash; returns failures.

    `check_stores` has checked those that it has.
    """
    wanted = [blob for blob in source.blobs if blob.sha256 not in source.damaged]
    target = blob_storage()
    target.create()
    with progress_bars.lazy_bar(sum(blob.size for blob in wanted), "Copying") as advance:
        listed = (BlobToCopy(blob.sha256, blob.size) for blob in wanted)
        moved = migration.copy_listed(listed, source.store, target, advance, trust_size=True)
    say(
        f"blobs: copied {moved.copied} ({moved.copied_bytes} bytes), present {moved.present},"
        f" failed {len(moved.failures)}"
    )
    if source.damaged:
        say(f"blobs: {len(source.damaged)} were damaged before the backup and are not in it")
    for sha256, reason in moved.failures:
        say(f"  {sha256}: {reason}")
    return ["some blobs"] if moved.failures or source.damaged else []


def forget_marks() -> None:
    """Clear the marks and versions of the lost store, which do not apply to restored files.

    With them every blob would count as changed. Without a mark, only a blob's size is compared.
    """
    Blob.objects.exclude(mark="", version="").update(mark="", version="", version_in="")


@transaction.atomic
def take_marks(proof: StoreReport, store: BlobStorage) -> None:
    """Store the marks and versions of the blobs that were just read and found good."""
    for good in proof.good:
        Blob.objects.filter(pk=good.blob_id).update(
            mark=good.mark, version=good.version, version_in=store.address
        )


def _lost_factors() -> list[str]:
    """The instructions for second factors encrypted with lost ENCRYPTION_KEYS."""
    people = {factor.user_id for factor in key_rotation.unreadable_factors()}
    if not people:
        return []
    return [
        f"- Authenticator apps and recovery codes of {len(people)} people cannot be checked without"
        " their ENCRYPTION_KEYS, so these people sign in with a passkey or not at all. If the keys"
        " are lost for good, run manage.py remove_second_factors --unreadable: then a password is"
        " enough until each sets up a new one, and roles of staff rest until then. Queued mails"
        " with links are not sent: people request new ones."
    ]


# -- instructions for the operator -----------------------------------------------------------


def next_steps(restored: Restored) -> list[str]:
    """Instructions for the operator, most urgent first (docs/security.md#a-lost-database)."""
    lines = [
        f"This is the portal of {restored.taken_at}. Before anybody uses it:",
        *(f"- {key.remedy}." for key in restored.keys if key.remedy),
    ]
    if restored.without_keys:
        lines += [
            "- Keys were not restored. With another SECRET_KEY sessions and mailed confirmations of"
            " before have ended; with other LINK_KEYS file links and checkpoint links have: their"
            " holders make new ones on My access. Passwords, passkeys and API tokens work.",
            *_lost_factors(),
            "- New manifest and audit keys stand on /keys/ beside the old ones, whose signatures"
            " stay valid. A lost key of a CDN needs a new one there (docs/operating.md).",
        ]
    elif not restored.keys:
        lines.append(
            "- The backup has no keys. Put your own where the install looks for them before it"
            " starts; otherwise new ones are generated, and sessions and links end."
        )
    lines += [
        "- People who were revoked, suspended or erased since then have access again: find them in"
        " mails and logs, and end it again first (manage.py revoke NAME TIER --reason …).",
        "- Tokens, links, passwords and sessions that were ended since then are valid again: end"
        " them. Those that were created since then are lost.",
        "- Revisions that were withdrawn and files that were quarantined since then are served"
        " again: withdraw and quarantine them.",
        "- Applications, decisions and grants since then are lost: inform the people concerned.",
    ]
    if queued := OutgoingMail.objects.filter(state=OutgoingMail.State.QUEUED).count():
        lines.append(
            f"- {queued} mails were queued and may have been sent since then; they are sent as soon"
            " as a worker runs. Start without EMAIL_URL to read them first (Admin, Outgoing mails)."
        )
    return [
        *lines,
        "- Heads of the trail that were signed since then cover rows that are lost: inform their"
        " recipients.",
        "Then start the portal, and publish again what was published since then; stored bytes are"
        " not copied twice.",
    ]
