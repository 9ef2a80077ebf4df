"""Checkpoints with their search documents, and their revisions with refs and facts."""

from collections.abc import Iterator

from support.population.expressions import Copies, ago, chance, digest, pick, text
from support.population.numbering import Kind, kinds
from support.population.proportions import (
    CHECKPOINTS_EACH,
    DAYS,
    FAMILIES,
    IS_GATED,
    TIERS,
    Sizes,
)

WORDS = ["outlier", "scaling", "memorised", "toxicity", "reasoning"]
WORDS += ["code", "retrieval", "dialogue", "speech", "protein"]


def tables(base: dict[str, int], sizes: Sizes) -> Iterator[Copies]:
    yield from _checkpoints(base, sizes)
    for kind in kinds(sizes):
        yield from _revisions(base, kind)
        yield from _facts(base, kind)


def _checkpoints(base: dict[str, int], sizes: Sizes) -> Iterator[Copies]:
    count, open_tier = sizes.checkpoints, "(SELECT id FROM accounts_tier WHERE slug = 'bench-open')"
    word = pick(WORDS, "n", 8)
    gated = f"1000 + (n / 5) % {TIERS}"
    size = f"({pick(['125', '350', '1300', '2700', '6700', '13000', '66000', '175000'], 'n', 9)})"
    yield (
        "Checkpoint",
        count,
        {
            "org": f"'lab' || n % {count // CHECKPOINTS_EACH}",
            "name": f"{word} || '-' || n",
            "title": f"{word} || ' model ' || n",
            "summary": text(12, "n"),
            "family_id": f"1000 + n % {FAMILIES}",
            "parameters": f"{size}::bigint * 1000000",
            "tier_id": f"CASE WHEN {IS_GATED} THEN {gated} ELSE {open_tier} END",
            "created_at": ago(f"{DAYS} * {chance('n', 10)}"),
            "published_at": ago(f"{DAYS} * {chance('n', 10)}"),
        },
    )
    yield (
        "SearchDocument",
        count,
        {
            "checkpoint_id": f"{base['Checkpoint']} + n",
            "names": f"'lab ' || {word} || ' ' || n",
            "body": text(300, "n"),
        },
    )


def _revisions(base: dict[str, int], kind: Kind) -> Iterator[Copies]:
    """Revisions, each with a tag, except the newest, which has the branch `main`."""
    each = kind.revisions_each
    of, number = f"((n - 1) / {each} + 1)", f"((n - 1) % {each} + 1)"
    revision = f"{base['Revision'] + kind.revisions_before} + n"
    checkpoint = kind.checkpoint(base, of)
    since = ago(f"{each} - {number} + 10 * {chance(of, 11)}")
    yield (
        "Revision",
        kind.revisions,
        {
            "id": revision,
            "checkpoint_id": checkpoint,
            "sha": digest(f"'revision' || ({revision})", 40),
            "parent_id": f"CASE WHEN {number} > 1 THEN {revision} - 1 END",
            "file_count": str(kind.files_each),
            "created_at": since,
            "visible_at": since,
        },
    )
    yield (
        "Ref",
        kind.revisions,
        {
            "id": f"{base['Ref'] + kind.revisions_before} + n",
            "checkpoint_id": checkpoint,
            "revision_id": revision,
            "kind": f"CASE WHEN {number} = {each} THEN 'branch' ELSE 'tag' END",
            "name": f"CASE WHEN {number} = {each} THEN 'main' ELSE 'v' || {number} END",
        },
    )


def _facts(base: dict[str, int], kind: Kind) -> Iterator[Copies]:
    """Facts about each checkpoint's newest revision and its card."""
    each = kind.revisions_each
    yield (
        "FileFacts",
        kind.checkpoints,
        {
            "id": f"{base['FileFacts'] + kind.checkpoints_before} + n",
            "blob_id": f"{base['Blob']} + {kind.readme('n', str(each))}",
            "tags": pick(WORDS, "n", 12) + " || E'\\n' || " + pick(WORDS, "n", 13),
            "pipeline_tag": pick(["text-generation", "translation", "fill-mask"], "n", 14),
        },
    )
    yield (
        "MeasuredFacts",
        kind.checkpoints,
        {
            "id": f"{base['MeasuredFacts'] + kind.checkpoints_before} + n",
            "revision_id": f"{base['Revision'] + kind.revisions_before} + n * {each}",
            "formats": """'["pickle"]'""" if kind.is_sharded else """'["safetensors"]'""",
        },
    )
