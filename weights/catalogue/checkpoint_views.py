"""A checkpoint's page: card, facts, access, and the commands that download it."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.web.current_user import user_or_none
from weights import gate
from weights.catalogue import cards, facts, licences, measured
from weights.catalogue.download_commands import Recipe, Target, recipes
from weights.catalogue.models import Checkpoint
from weights.checkpoint_pages.header import Tab, header
from weights.family_facts import parts
from weights.gate.access_checklist import access_checklist
from weights.gate.caller import session_caller
from weights.hardware_fit import presentation as hardware_fit
from weights.known_issues.models import KnownIssue
from weights.logbook import queries as logbook
from weights.manifests import signatures
from weights.publishing.models import File, Revision
from weights.recalls import notices
from weights.storage.models import Blob
from weights.templatetags.weights_format import state_kind
from weights.web import charts
from weights.web.lookup import checkpoint_or_404

#: Number of files on the checkpoint's page, which links to the full list.
FILES_SHOWN = 6
LOGBOOK_SHOWN = 3


@require_safe
def checkpoint_detail(request: HttpRequest, org: str, name: str) -> HttpResponse:
    checkpoint = checkpoint_or_404(request, org, name)
    revision = gate.main_revision(checkpoint)
    files = _files(revision)
    readme = next((file for file in files if file.path == "README.md"), None)
    licence = licences.of_checkpoint(checkpoint, revision)
    images = revision is not None and _may_fetch(request, checkpoint, revision)
    card = cards.checkpoint_card(checkpoint, revision, readme, images=images)
    issues = list(KnownIssue.objects.filter(checkpoint=checkpoint, withdrawn_at=None))
    recalls = notices.of_checkpoint(checkpoint)
    count = len(issues) + len(recalls)
    context = {
        "header": header(checkpoint, Tab.CARD, revision, tags=card.tags, issues=count),
        "checkpoint": checkpoint,
        "revision": revision,
        "nothing_yet": None if revision else _why_unavailable(checkpoint),
        "signature": signatures.signature_of(revision) if revision else None,
        "files": sorted(files, key=_display_order)[:FILES_SHOWN],
        "quarantined": _quarantined(files),
        "picture": charts.shard_picture(
            [(file.part, file.shard, state_kind(file.blob.state)) for file in files]
        ),
        "card": card,
        "licence": licence,
        "facts": facts.displayed(_shown_facts(checkpoint, revision)),
        "sources": _sources(checkpoint),
        "checklist": access_checklist(user_or_none(request), checkpoint, licence),
        "recipes": _recipes(checkpoint, files),
        "issues": issues,
        "recalls": recalls,
        "fit": hardware_fit.default_fit(checkpoint, revision),
        "logbook": logbook.latest_about(checkpoint, LOGBOOK_SHOWN),
        "family_parts": parts.read(checkpoint.family.facts) if checkpoint.family else None,
    }
    return render(request, "weights/catalogue/checkpoint_detail.html", context)


def _shown_facts(checkpoint: Checkpoint, revision: Revision | None) -> Mapping[str, Any]:
    """Declared facts, overridden by those counted from the revision's files."""
    return measured.merged_facts(checkpoint, getattr(revision, "measured", None))


def _may_fetch(request: HttpRequest, checkpoint: Checkpoint, revision: Revision) -> bool:
    """True if the user may download the revision's files. Everyone may if it is public and open."""
    if not (checkpoint.tier.is_gated or checkpoint.is_hidden):
        return True
    caller = session_caller(user_or_none(request))
    now = timezone.now()
    return gate.may_fetch_revision(caller, checkpoint.repo_id, revision.sha, now).allowed


def _why_unavailable(checkpoint: Checkpoint) -> str:
    """Why `main` has no files: `withdrawn`, `coming` (being verified), `elsewhere` or `facts`."""
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
    """A sentence about quarantined files, or ""."""
    count = sum(file.blob.state == Blob.State.QUARANTINED for file in files)
    if not count:
        return ""
    subject = "1 file of this revision is" if count == 1 else f"{count} files of this revision are"
    return f"{subject} quarantined and not served; the list of all files shows which."


def _display_order(file: File) -> tuple[bool, int, int, int, str]:
    """Sort key: unsharded files by descending size, then shards in their order."""
    is_shard = file.part is not None and file.shard is not None
    size = 0 if is_shard else -file.size
    return is_shard, size, file.part or 0, file.shard or 0, file.path


def _recipes(checkpoint: Checkpoint, files: list[File]) -> list[Recipe]:
    if not files:
        return []
    target = Target(
        portal=settings.PUBLIC_URL,
        repo_id=checkpoint.repo_id,
        gated=checkpoint.tier.is_gated,
        paths=[file.path for file in files],
        largest=max(files, key=lambda file: file.size).path,
    )
    return recipes(target)


def _sources(checkpoint: Checkpoint) -> list[tuple[str, str]]:
    """(abbreviation, full name) of the sources that the checkpoint's facts cite."""
    sources = checkpoint.family.facts.get("sources", {}) if checkpoint.family else {}
    cited = " ".join(str(fact.get("source", "")) for fact in checkpoint.facts.values())
    return [(key, text) for key, text in sources.items() if key in cited]
