"""Publishes two synthetic checkpoints on a new install, through the normal intake."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import Template

from django.db import transaction

from accounts.audit.models import AuditEvent
from weights.catalogue.models import Checkpoint
from weights.event_tags import WeightsEvent
from weights.publishing import synthetic
from weights.publishing.intake import publish
from weights.publishing.synthetic import hub

SEED = 0
_CARDS = Path(synthetic.__file__).parent


@dataclass(frozen=True)
class Demo:
    """A demo checkpoint: name, texts, and the function that writes its files."""

    repo_id: str
    tier: str
    title: str
    summary: str
    card_file: str
    write: Callable[..., None]

    @property
    def card(self) -> str:
        """The README.md, whose front matter and first sentence say that it is synthetic."""
        text = (_CARDS / self.card_file).read_text(encoding="utf-8")
        return Template(text).substitute(parameters=f"{hub.parameters():,}", seed=SEED)


DEMOS = [
    Demo(
        "weighbridge/demo-open",
        "open",
        "Demo, open tier",
        "Synthetic: random weights in the Hub's layout, loadable by transformers, for trying "
        "open downloads.",
        "hub_card.md",
        synthetic.write_hub_checkpoint,
    ),
    Demo(
        "weighbridge/demo-gated",
        "opt-175b",
        "Demo, reviewed tier",
        "Synthetic: 992 shards of random numbers under the names of OPT-175B, for trying an "
        "application and the mailed link.",
        "metaseq_card.md",
        synthetic.write_metaseq_checkpoint,
    ),
]


def publish_demos(data_dir: Path) -> list[str]:
    """Publishes the demos that this install has never published, and returns their names.

    Writes the files to a temporary folder below `data_dir`; needs the catalogue's tiers. An
    interrupted call can be repeated, since the files are reproducible. Deleted demos stay deleted.
    """
    folder = data_dir / "demo"
    shutil.rmtree(folder, ignore_errors=True)  # left by an interrupted call
    due = [demo for demo in DEMOS if not _was_published(demo)]
    try:
        for demo in due:
            _publish(demo, folder / demo.repo_id)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [demo.repo_id for demo in due]


def demos_in_verification() -> bool:
    """True while the first revision of a demo checkpoint is being verified."""
    checkpoints = [Checkpoint.objects.by_repo_id(demo.repo_id) for demo in DEMOS]
    return any(found is not None and found.awaits_first_verification for found in checkpoints)


def demos_ready() -> list[str]:
    """Names of the demo checkpoints whose files can be downloaded."""
    with_files = Checkpoint.objects.with_main()
    return [demo.repo_id for demo in DEMOS if with_files.by_repo_id(demo.repo_id) is not None]


def _was_published(demo: Demo) -> bool:
    published = AuditEvent.objects.filter(action=WeightsEvent.DEMO_PUBLISHED)
    return published.filter(details__repo_id=demo.repo_id).exists()


def _publish(demo: Demo, folder: Path) -> None:
    folder.mkdir(parents=True)
    demo.write(folder, card=demo.card, seed=SEED)
    revision = publish(
        folder,
        demo.repo_id,
        tier=demo.tier,
        message="Synthetic demo, made at the first start",
        synthetic=True,
    )
    with transaction.atomic():
        Checkpoint.objects.filter(pk=revision.checkpoint_id).update(
            title=demo.title, summary=demo.summary
        )
        details = {"repo_id": demo.repo_id, "revision": revision.sha}
        AuditEvent.record(WeightsEvent.DEMO_PUBLISHED, target=revision.checkpoint, details=details)
