"""A checkpoint's page: what is it, may I have it, how do I get it?"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from weights import gate
from weights.catalogue import cards, facts
from weights.catalogue.download_commands import Recipe, Wanted, recipes
from weights.catalogue.models import Checkpoint, KnownIssue
from weights.gate.access_checklist import access_checklist
from weights.manifests import signatures
from weights.publishing.models import File, Ref, Revision
from weights.recalls import notices
from weights.storage.models import Blob
from weights.templatetags.weights_format import state_kind
from weights.web import charts
from weights.web.lookup import checkpoint_or_404, person

#: Files shown on the checkpoint's own page; the rest is one click away.
FILES_SHOWN = 6


@require_safe
def checkpoint_detail(request: HttpRequest, org: str, name: str) -> HttpResponse:
    checkpoint = checkpoint_or_404(request, org, name)
    revision = gate.find_revision(checkpoint, "main") if checkpoint.published_at else None
    files = _files(revision)
    readme = next((file for file in files if file.path == "README.md"), None)
    context = {
        "checkpoint": checkpoint,
        "revision": revision,
        "nothing_yet": None if revision else _nothing_yet(checkpoint),
        "signature": signatures.signature_of(revision) if revision else None,
        "files": sorted(files, key=_telling)[:FILES_SHOWN],
        "quarantined": _quarantined(files),
        "picture": charts.shard_picture(
            [(file.part, file.shard, state_kind(file.blob.state)) for file in files]
        ),
        "card": cards.of_checkpoint(checkpoint, revision, readme),
        "facts": facts.shown(checkpoint.facts),
        "sources": _sources(checkpoint),
        "refs": Ref.objects.filter(checkpoint=checkpoint).select_related("revision"),
        "checklist": access_checklist(person(request), checkpoint),
        "recipes": _recipes(checkpoint, files),
        "issues": KnownIssue.objects.filter(checkpoint=checkpoint, withdrawn_at=None),
        "recalls": notices.of_checkpoint(checkpoint),
    }
    return render(request, "weights/catalogue/checkpoint_detail.html", context)


def _nothing_yet(checkpoint: Checkpoint) -> str:
    """Why there is nothing to get: `withdrawn`, `coming`, `elsewhere` or `facts`."""
    if gate.withdrawn(checkpoint, "main"):
        return "withdrawn"
    if checkpoint.revisions.pending().exists():
        return "coming"
    return "elsewhere" if checkpoint.published_at else "facts"


def _files(revision: Revision | None) -> list[File]:
    if revision is None:
        return []
    return list(File.objects.filter(revision=revision).select_related("blob"))


def _quarantined(files: list[File]) -> str:
    """A sentence, where there is something to tell."""
    count = sum(file.blob.state == Blob.State.QUARANTINED for file in files)
    if not count:
        return ""
    subject = "1 file of this revision is" if count == 1 else f"{count} files of this revision are"
    return f"{subject} quarantined and given to nobody; see which in the list of all files."


def _telling(file: File) -> tuple[bool, int, int, int, str]:
    """Order in which files tell most: single ones by size, then shards from the first on."""
    is_shard = file.part is not None and file.shard is not None
    size = 0 if is_shard else -file.size
    return is_shard, size, file.part or 0, file.shard or 0, file.path


def _recipes(checkpoint: Checkpoint, files: list[File]) -> list[Recipe]:
    if not files:
        return []
    wanted = Wanted(
        portal=settings.PUBLIC_URL,
        repo_id=checkpoint.repo_id,
        gated=checkpoint.tier.is_gated,
        paths=[file.path for file in files],
        largest=max(files, key=lambda file: file.size).path,
    )
    return recipes(wanted)


def _sources(checkpoint: Checkpoint) -> list[tuple[str, str]]:
    """The long names of the sources that this checkpoint's facts cite by a short one."""
    known = checkpoint.family.facts.get("sources", {}) if checkpoint.family else {}
    cited = " ".join(str(fact.get("source", "")) for fact in checkpoint.facts.values())
    return [(key, text) for key, text in known.items() if key in cited]
