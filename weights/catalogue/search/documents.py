"""Builds the search documents of checkpoints, and updates those whose sources changed.

A sweep compares a fingerprint of the sources (catalogue texts, the revision of `main`, logbook
entries), so it finds any change, however it was made.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256

from django.db.models import (
    Count,
    Exists,
    Max,
    OuterRef,
    QuerySet,
    Subquery,
    TextField,
    Value,
)
from django.db.models.functions import MD5, Concat

from accounts.background.periodic import each
from weights.catalogue import file_facts, front_matter
from weights.catalogue.models import Checkpoint, SearchDocument
from weights.catalogue.search.words import words
from weights.logbook.models import LogbookEntry
from weights.publishing.models import File, Ref, Revision
from weights.storage import blob_storage, excerpts
from weights.storage.models import Blob

#: Maximum bytes read of a README.md, and characters of each part of a document.
_CARD_BYTES, _MAX_TEXT = 512_000, 200_000


def sweep() -> int:
    """Updates the documents of checkpoints whose sources changed; returns their number."""
    stored = dict(SearchDocument.objects.values_list("checkpoint", "fingerprint"))
    changed = {
        pk: fingerprint for pk, fingerprint in _fingerprints() if stored.get(pk) != fingerprint
    }
    return each("search documents", changed, lambda pk: _renew(pk, changed[pk]))


def _fingerprints() -> Iterator[tuple[int, str]]:
    """Yields each checkpoint's id and the fingerprint of its sources, with three queries."""
    entries: dict[str, dict[int, str]] = {}
    for subject in ("checkpoint", "family"):
        rows = LogbookEntry.objects.filter(**{f"{subject}__isnull": False}).order_by()
        grouped = rows.values_list(subject).annotate(Count("pk"), Max("changed_at"))
        entries[subject] = {pk: f"{count}@{newest}" for pk, count, newest in grouped}
    texts = ("title", Value("\n"), "summary", Value("\n"), "card")
    main = Ref.objects.filter(
        checkpoint=OuterRef("pk"), name="main", revision__state=Revision.State.VISIBLE
    )
    annotated = Checkpoint.objects.annotate(
        text_hash=MD5(Concat(*texts, output_field=TextField())),
        main_sha=Subquery(main.values("revision__sha")[:1]),
        has_card=Exists(_cards(OuterRef("pk"))),
    )
    fields = ("pk", "family", "family__name", "text_hash", "main_sha", "has_card")
    for pk, family, *values in annotated.values_list(*fields):
        values += [entries["checkpoint"].get(pk), entries["family"].get(family)]
        yield pk, sha256(repr(values).encode()).hexdigest()


def _renew(checkpoint_id: int, fingerprint: str) -> int:
    checkpoint = Checkpoint.objects.select_related("family").get(pk=checkpoint_id)
    card = _readme(checkpoint) or checkpoint.card
    front = front_matter.split(card)
    names = [checkpoint.org, checkpoint.name, checkpoint.title]
    names += [checkpoint.family.name] if checkpoint.family else []
    entries = LogbookEntry.objects.about(checkpoint).values_list("title", "text")
    parts = {
        "names": names,
        "tags": file_facts.card_tags(front.values),
        "body": [checkpoint.summary, front.body],
        "logbook": [text for entry in entries for text in entry],
    }
    texts = {name: _document(part) for name, part in parts.items()}
    SearchDocument.objects.update_or_create(
        checkpoint=checkpoint, defaults={"fingerprint": fingerprint, **texts}
    )
    return 1


def _readme(checkpoint: Checkpoint) -> str:
    """The verified README.md of `main`; empty if there is none. Errors of the store propagate."""
    file = _cards(checkpoint).select_related("blob").first()
    if file is None:
        return ""
    return excerpts.read(file.blob, _CARD_BYTES, blob_storage()).decode(errors="replace")


def _cards(checkpoint: Checkpoint | OuterRef) -> QuerySet[File]:
    """The verified README.md of the visible revision of `main`."""
    return File.objects.filter(
        path="README.md",
        blob__state=Blob.State.VERIFIED,
        revision__state=Revision.State.VISIBLE,
        revision__refs__checkpoint=checkpoint,
        revision__refs__name="main",
    )


def _document(texts: Iterable[str]) -> str:
    return " ".join(word for text in texts for word in words(text))[:_MAX_TEXT]
