"""Reads the shape of a checkpoint from its facts and the headers of its published files."""

from django.conf import settings

from weights.catalogue.models import Checkpoint
from weights.hardware_fit.commands import Source
from weights.hardware_fit.model_shape import Shape, shape_of
from weights.publishing.models import Revision


def shape_at(checkpoint: Checkpoint, revision: Revision | None) -> Shape:
    """The shape of a checkpoint, with the counts of `revision` if it has any."""
    if revision is None:
        return shape_of(checkpoint)
    return shape_of(checkpoint, getattr(revision, "measured", None))


def source_of(checkpoint: Checkpoint, revision: Revision | None) -> Source:
    """Published files with a `config.json`, which transformers and vLLM need, are loadable."""
    return Source(
        portal=settings.PUBLIC_URL,
        repo_id=checkpoint.repo_id,
        gated=checkpoint.tier.is_gated,
        is_loadable=revision is not None and revision.files.filter(path="config.json").exists(),
    )
