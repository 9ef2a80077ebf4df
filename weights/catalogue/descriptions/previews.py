"""The preview of a title and card that staff have not saved yet."""

from typing import Any

from accounts.web.sanitize import one_line, storable
from weights import gate
from weights.catalogue import front_matter
from weights.catalogue.card_html.cache import Addresses, html_of
from weights.catalogue.cards import MAX_README_BYTES, TOP
from weights.catalogue.models import Checkpoint
from weights.publishing.models import File
from weights.storage.models import Blob

_MAX_TITLE = 200


def preview(checkpoint: Checkpoint, title: str, card: str) -> dict[str, Any]:
    """The context of `preview.html`: the texts as pages would show them."""
    text = front_matter.split(storable(card)[:MAX_README_BYTES]).body
    readme = File.objects.filter(
        revision=gate.main_revision(checkpoint), path="README.md", blob__state=Blob.State.VERIFIED
    )
    return {
        "checkpoint": checkpoint,
        "shown_title": one_line(storable(title))[:_MAX_TITLE] or checkpoint.name,
        "card": html_of(text, Addresses(), TOP),
        "readme": readme.exists(),
    }
