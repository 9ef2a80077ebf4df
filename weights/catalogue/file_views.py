"""The pages of a revision's files: the list of a folder, and one file."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from shlex import quote as shell

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import OWNERS
from accounts.web.current_user import user_or_none
from accounts.web.sanitize import storable
from weights import gate
from weights.catalogue.download_commands import check_recipe
from weights.catalogue.models import Checkpoint
from weights.checkpoint_pages import tensors
from weights.checkpoint_pages.file_filter import STATES, FileFilter
from weights.checkpoint_pages.header import Tab, header
from weights.delivery.previews import PREVIEW_BYTES, preview
from weights.gate.access_checklist import next_step
from weights.gate.caller import session_caller
from weights.inspection import results
from weights.inspection.tensor_list import natural_order
from weights.integrity import manual_quarantine, verification
from weights.manifests import signatures
from weights.publishing.models import File, Ref, Revision
from weights.templatetags.weights_format import state_kind
from weights.web.lookup import checkpoint_or_404, revision_and_path_or_404, with_refusals

#: Files per page.
PAGE_SIZE = 100


@dataclass(frozen=True)
class Folder:
    """A folder with the number and total bytes of all files below it."""

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
def file_list(request: HttpRequest, org: str, name: str, rest: str) -> HttpResponse:
    checkpoint = checkpoint_or_404(request, org, name)
    revision_name, revision, path = revision_and_path_or_404(request, checkpoint, rest)
    folder = path.removesuffix("/") or path
    files = list(File.objects.filter(revision=revision).select_related("blob"))
    if any(file.path == path for file in files):
        return redirect("weights:file-detail", org, name, f"{revision_name}/{folder}")
    below = [file for file in files if not folder or file.path.startswith(f"{folder}/")]
    if not below:
        raise Http404(f"{checkpoint.repo_id} has no folder {folder}")
    prefix = f"{folder}/" if folder else ""
    folders, own_files = _split_folders(below, prefix)
    wanted = FileFilter.from_query(request.GET)
    found = wanted.apply(below, len(prefix)) if wanted else own_files
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    inspections = results.of_files(list(page))
    kinds = [state_kind(file.blob.state) for file in below]
    context = {
        "header": header(checkpoint, Tab.FILES, revision),
        "checkpoint": checkpoint,
        "revision": revision,
        "written": revision_name,
        **_signature_check(checkpoint, revision),
        "crumbs": _breadcrumbs(checkpoint, revision_name, folder),
        "folders": [] if wanted else folders,
        "page": page,
        "jumps": page.paginator.get_elided_page_range(page.number),
        "wanted": wanted,
        "choices": STATES,
        "rows": [(file, inspections.get(file.pk)) for file in page],
        "shards": _shard_rows(own_files),
        "states": {kind: kinds.count(kind) for kind in ("verified", "refused", "waiting")},
        "size": sum(file.size for file in below),
        "file_count": len(below),
        "start": len(prefix),
        "refs": Ref.objects.shown().filter(checkpoint=checkpoint).select_related("revision"),
    }
    return render(request, "weights/catalogue/file_list.html", context)


@require_safe
@with_refusals
def file_detail(request: HttpRequest, org: str, name: str, rest: str) -> HttpResponse:
    checkpoint = checkpoint_or_404(request, org, name)
    revision_name, revision, path = revision_and_path_or_404(request, checkpoint, rest)
    file = get_object_or_404(File.objects.select_related("blob"), revision=revision, path=path)
    file_name = path.rpartition("/")[2]
    caller = session_caller(user_or_none(request))
    decision = gate.decide(caller, checkpoint.repo_id, revision.sha, path, timezone.now())
    # Checks of small files end before progress would be worth showing.
    is_long_check = file.size > PREVIEW_BYTES
    context = {
        "header": header(checkpoint, Tab.FILES, revision),
        "checkpoint": checkpoint,
        "revision": revision,
        "written": revision_name,
        "file": file,
        "name": file_name,
        "crumbs": _breadcrumbs(checkpoint, revision_name, path),
        "decision": decision,
        "inspection": results.of_files([file]).get(file.pk),
        "check_progress": verification.progress_of(file.blob) if is_long_check else None,
        "button": next_step(decision, checkpoint),
        "check": f"echo {shell(f'{file.sha256}  {file_name}')} | sha256sum --check",
        "preview": preview(caller, decision),
        "tensors": tensors.page_of(
            caller,
            decision,
            storable(request.GET.get("q", ""))[:200],
            request.GET.get("page", ""),
        ),
        "recall": file.blob.recalls.first() if file.blob.quarantine_reason else None,
        "may_quarantine": _may_quarantine(request, file),
        "may_lift": _may_lift(request, file),
        "shared": File.objects.filter(blob=file.blob, revision=revision).exclude(pk=file.pk)[:5],
    }
    return render(request, "weights/catalogue/file_detail.html", context)


def _may_quarantine(request: HttpRequest, file: File) -> bool:
    """True for a release owner of the tier, unless the file is already in quarantine."""
    user, checkpoint = user_or_none(request), file.revision.checkpoint
    if file.blob.quarantine_reason:
        return False
    return user is not None and RoleAssignment.objects.covers(user, OWNERS, checkpoint.tier)


def _may_lift(request: HttpRequest, file: File) -> bool:
    user = user_or_none(request)
    return user is not None and user.is_staff and manual_quarantine.may_lift(file.blob, user)


def _signature_check(checkpoint: Checkpoint, revision: Revision) -> dict[str, object]:
    """The newest trusted signature, and the commands that verify it."""
    signature = signatures.signature_of(revision)
    if signature is None:
        return {"signature": None}
    gated, repo_id = checkpoint.tier.is_gated, checkpoint.repo_id
    key = signature.key.key_id
    return {
        "signature": signature,
        "check": check_recipe(settings.PUBLIC_URL, repo_id, revision.sha, key, gated=gated),
    }


def _split_folders(files: Iterable[File], prefix: str) -> tuple[list[Folder], list[File]]:
    """Splits the files below `prefix` into its subfolders and its own files, sorted by name."""
    totals: dict[str, tuple[int, int]] = {}
    own_files = []
    for file in files:
        name, slash, _ = file.path.removeprefix(prefix).partition("/")
        if not slash:
            own_files.append(file)
            continue
        count, size = totals.get(name, (0, 0))
        totals[name] = count + 1, size + file.size
    folders = [
        Folder(name, prefix + name, *totals[name]) for name in sorted(totals, key=natural_order)
    ]
    return folders, sorted(own_files, key=lambda file: natural_order(file.path))


def _shard_rows(files: Iterable[File]) -> list[ShardRow]:
    """The grid of parts and shards that the names describe; empty below two parts."""
    shards = [file for file in files if file.part is not None and file.shard is not None]
    shards.sort(key=lambda file: (file.part or 0, file.shard or 0))
    rows = [
        ShardRow(part or 0, list(files)) for part, files in groupby(shards, lambda file: file.part)
    ]
    return rows if len(rows) > 1 else []


def _breadcrumbs(checkpoint: Checkpoint, revision_name: str, path: str) -> list[tuple[str, str]]:
    """(text, URL) from the checkpoint down to `path`; the last URL is empty."""
    base = f"{checkpoint.get_absolute_url()}/tree/{revision_name}"
    crumbs = [(checkpoint.repo_id, checkpoint.get_absolute_url()), (revision_name[:12], base)]
    folder = base
    for part in path.split("/") if path else []:
        folder = f"{folder}/{part}"
        crumbs.append((part, folder))
    return [*crumbs[:-1], (crumbs[-1][0], "")]
