"""The header of a checkpoint's pages: its figures, and tabs with their own URLs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.urls import reverse

from accounts.web.byte_sizes import format_size
from weights import gate
from weights.catalogue import download_counts, licences, measured
from weights.catalogue.models import Checkpoint, MeasuredFacts
from weights.known_issues.models import KnownIssue
from weights.publishing.models import Revision
from weights.recalls.models import Recall
from weights.web.charts import count_in_words


class Tab(StrEnum):
    CARD = "Card"
    FILES = "Files"
    VERSIONS = "Versions"
    ISSUES = "Issues"


@dataclass(frozen=True)
class Link:
    """A tab: its label, URL, number of entries (None if not counted), and True if it is open."""

    label: str
    url: str
    count: int | None
    is_open: bool


def header(
    checkpoint: Checkpoint,
    tab: Tab,
    revision: Revision | None = None,
    *,
    tags: tuple[str, ...] = (),
    issues: int | None = None,
) -> dict[str, Any]:
    """Returns the context of `_header.html`, in at most five queries.

    `revision` defaults to the one that `main` points at. `issues` is the number of recalls and
    known issues; None counts them.
    """
    if revision is None and checkpoint.published_at:
        revision = gate.find_revision(checkpoint, "main")
    licence = licences.of_checkpoint(checkpoint, revision)
    return {
        "checkpoint": checkpoint,
        "licence": licence,
        "tags": tags,
        "figures": _figures(checkpoint, revision),
        "tabs": _tabs(checkpoint, tab, _issues(checkpoint) if issues is None else issues),
    }


def _figures(checkpoint: Checkpoint, revision: Revision | None) -> list[tuple[str, str, str]]:
    """(label, text, longer text) of each figure; counted numbers replace declared ones."""
    counted = getattr(revision, "measured", None)
    parameters = measured.parameters_of(checkpoint, counted)
    facts = counted or MeasuredFacts()
    names = facts.architecture.get("architectures") or [facts.architecture.get("model_type")]
    figures = []
    if parameters:
        figures.append(("Parameters", count_in_words(parameters), f"{parameters:,}"))
    if facts.tensor_types:
        figures.append(("Tensor type", " · ".join(facts.tensor_types), ""))
    if names[0]:
        figures.append(("Architecture", names[0], ""))
    if revision is not None:
        size = format_size(revision.total_bytes)
        figures.append(("Size", size.partition(" (")[0], size))
    if checkpoint.published_at:
        downloads = f"{download_counts.of_checkpoint(checkpoint.pk):,}"
        figures.append(("Downloads in 30 days", downloads, ""))
    return figures


def _issues(checkpoint: Checkpoint) -> int:
    issues = KnownIssue.objects.filter(checkpoint=checkpoint, withdrawn_at=None)
    recalls = Recall.objects.about(Checkpoint.objects.filter(pk=checkpoint.pk))
    return issues.count() + recalls.count()


def _tabs(checkpoint: Checkpoint, tab: Tab, issues: int) -> list[Link]:
    """The tabs that have content: a checkpoint without files has no Files or Versions tab."""
    names = [checkpoint.org, checkpoint.name]
    links = [Link(Tab.CARD, checkpoint.get_absolute_url(), None, tab is Tab.CARD)]
    if checkpoint.published_at:
        files = reverse("weights:file-list", args=[*names, "main"])
        history = reverse("weights:version-list", args=[*names, "main"])
        links.append(Link(Tab.FILES, files, None, tab is Tab.FILES))
        links.append(Link(Tab.VERSIONS, history, None, tab is Tab.VERSIONS))
    url = reverse("weights:checkpoint-issues", args=names)
    return [*links, Link(Tab.ISSUES, url, issues, tab is Tab.ISSUES)]
