"""Files of a revision: is it whole and verified?"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from shlex import quote as shell

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.web.sanitize import multiline
from weights import gate
from weights.catalogue.download_commands import check_recipe
from weights.catalogue.models import Checkpoint
from weights.errors import BlobChanged, BlobMissing, StorageUnavailable
from weights.gate.access_checklist import next_step
from weights.gate.caller import Caller, session_caller
from weights.inspection import results
from weights.inspection.models import Inspection
from weights.integrity import verification
from weights.ledger import recording
from weights.ledger.models import Download
from weights.manifests import signatures
from weights.publishing.models import File, Ref, Revision
from weights.storage import blob_storage, excerpts
from weights.storage.models import Blob
from weights.web.lookup import checkpoint_or_404, person, revision_and_path_or_404, with_refusals

PAGE = 100
#: Bytes of a text that is still shown on its page.
PREVIEW_LARGEST = 64_000


@dataclass(frozen=True)
class Folder:
    """What stands below one folder, all levels together; size in bytes."""

    name: str
    path: str
    files: int
    size: int


@dataclass(frozen=True)
class ShardRow:
    """One model part and its shards, in order."""

    part: int
    files: list[File]


@require_safe
@with_refusals
def tree(request: HttpRequest, org: str, name: str, rest: str) -> HttpResponse:
    checkpoint = checkpoint_or_404(request, org, name)
    written, revision, path = revision_and_path_or_404(request, checkpoint, rest)
    folder = path.removesuffix("/") or path
    files = list(File.objects.filter(revision=revision).select_related("blob"))
    if any(file.path == path for file in files):
        return redirect("weights:file-detail", org, name, f"{written}/{folder}")
    below = [file for file in files if not folder or file.path.startswith(f"{folder}/")]
    if not below:
        raise Http404(f"{checkpoint.repo_id} has no folder {folder}")
    folders, here = _listed(below, folder)
    page = Paginator(here, PAGE).get_page(request.GET.get("page"))
    context = {
        "checkpoint": checkpoint,
        "revision": revision,
        "written": written,
        **_proof(checkpoint, revision),
        "crumbs": _crumbs(checkpoint, written, folder),
        "folders": folders,
        "page": page,
        "rows": _with_inspections(list(page)),
        "shards": _shard_rows(here),
        "states": _states(below),
        "size": sum(file.size for file in below),
        "file_count": len(below),
        "start": len(folder) + 1 if folder else 0,
        "refs": Ref.objects.filter(checkpoint=checkpoint).select_related("revision"),
    }
    return render(request, "weights/catalogue/file_list.html", context)


@require_safe
@with_refusals
def file_detail(request: HttpRequest, org: str, name: str, rest: str) -> HttpResponse:
    checkpoint = checkpoint_or_404(request, org, name)
    written, revision, path = revision_and_path_or_404(request, checkpoint, rest)
    file = _file_or_404(revision, path)
    caller = session_caller(person(request))
    decision = gate.decide(caller, checkpoint.repo_id, revision.sha, path, timezone.now())
    context = {
        "checkpoint": checkpoint,
        "revision": revision,
        "written": written,
        "file": file,
        "name": path.rpartition("/")[2],
        "crumbs": _crumbs(checkpoint, written, path),
        "decision": decision,
        "inspection": results.of_files([file]).get(file.pk),
        "check_progress": _progress(file),
        "button": next_step(decision, checkpoint),
        "check": _check(file.sha256, path.rpartition("/")[2]),
        "preview": _preview(caller, decision) if decision.file else None,
        "recall": file.blob.recalls.first() if file.blob.quarantine_reason else None,
        "shared": File.objects.filter(blob=file.blob, revision=revision).exclude(pk=file.pk)[:5],
    }
    return render(request, "weights/catalogue/file_detail.html", context)


def _progress(file: File) -> verification.ReadProgress | None:
    """How far a check is that lasts long enough to be watched."""
    return verification.progress_of(file.blob) if file.size > PREVIEW_LARGEST else None


def _proof(checkpoint: Checkpoint, revision: Revision) -> dict[str, object]:
    """The newest trusted signature, and the commands that check it."""
    signature = signatures.signature_of(revision)
    if signature is None:
        return {"signature": None}
    gated, repo_id = checkpoint.tier.is_gated, checkpoint.repo_id
    key = signature.key.key_id
    return {
        "signature": signature,
        "check": check_recipe(settings.PUBLIC_URL, repo_id, revision.sha, key, gated=gated),
    }


def _file_or_404(revision: Revision, path: str) -> File:
    files = File.objects.filter(revision=revision, path=path).select_related("blob")
    found = files.first()
    if found is None:
        raise Http404(f"no file {path} in {revision.sha}")
    return found


def _listed(below: Iterable[File], folder: str) -> tuple[list[Folder], list[File]]:
    """Split what stands below `folder` into its folders and its own files."""
    start = len(folder) + 1 if folder else 0
    sums: dict[str, tuple[int, int]] = {}
    here = []
    for file in below:
        head, slash, _ = file.path[start:].partition("/")
        if not slash:
            here.append(file)
            continue
        files, size = sums.get(head, (0, 0))
        sums[head] = files + 1, size + file.size
    prefix = f"{folder}/" if folder else ""
    folders = [Folder(head, prefix + head, *sums[head]) for head in sorted(sums, key=_counted)]
    return folders, sorted(here, key=lambda file: _counted(file.path))


def _counted(name: str) -> str:
    """Sorts as people count: shard 2 before shard 10."""
    return re.sub(r"[0-9]+", lambda number: number[0].zfill(20), name)


def _with_inspections(files: list[File]) -> list[tuple[File, Inspection | None]]:
    found = results.of_files(files)
    return [(file, found.get(file.pk)) for file in files]


def _shard_rows(files: list[File]) -> list[ShardRow]:
    """The part × shard grid where the names tell one; empty for anything below two parts."""
    parts: dict[int, list[File]] = {}
    for file in files:
        if file.part is not None and file.shard is not None:
            parts.setdefault(file.part, []).append(file)
    if len(parts) < 2:
        return []
    return [
        ShardRow(part, sorted(parts[part], key=lambda file: file.shard or 0))
        for part in sorted(parts)
    ]


def _states(files: Iterable[File]) -> dict[str, int]:
    """How many files are verified, still waiting, and refused."""
    found = [file.blob.state for file in files]
    verified, refused = found.count(Blob.State.VERIFIED), found.count(Blob.State.QUARANTINED)
    return {"verified": verified, "refused": refused, "waiting": len(found) - verified - refused}


def _crumbs(checkpoint: Checkpoint, written: str, path: str) -> list[tuple[str, str]]:
    """(text, address) from the checkpoint down to `path`, whose own address is empty."""
    base = f"{checkpoint.get_absolute_url()}/tree/{written}"
    crumbs = [(checkpoint.repo_id, checkpoint.get_absolute_url()), (written[:12], base)]
    parts = path.split("/") if path else []
    for place, part in enumerate(parts):
        address = f"{base}/{'/'.join(parts[: place + 1])}" if place < len(parts) - 1 else ""
        crumbs.append((part, address))
    return crumbs if parts else [crumbs[0], (crumbs[1][0], "")]


def _preview(caller: Caller, decision: gate.Decision) -> str | None:
    """The text of a small file, written in the ledger as shown; None for what is no text.

    Also None for what cannot be read now, or is no longer what was verified.
    """
    file = decision.file
    if file is None or file.size > PREVIEW_LARGEST:
        return None
    try:
        text = excerpts.read(file.blob, PREVIEW_LARGEST + 1, blob_storage()).decode("utf-8")
    except (UnicodeDecodeError, BlobMissing, BlobChanged, StorageUnavailable):
        return None
    if "\x00" in text:
        return None
    recording.record_served(
        caller, decision, file, Download.Outcome.SHOWN, start=0, length=file.size
    )
    return multiline(text)


def _check(sha256: str, name: str) -> str:
    """A command that compares a downloaded file with the hash shown."""
    return f"echo {shell(f'{sha256}  {name}')} | sha256sum --check"
