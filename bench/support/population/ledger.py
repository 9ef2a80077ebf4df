"""The download ledger and the audit trail."""

from collections.abc import Iterator

from support.population.expressions import Copies, ago, chance, digest, hot, pick, uuid
from support.population.numbering import Kind, kinds
from support.population.proportions import DAYS, FILES, GRANTS_EACH, SHARDS, Sizes


def tables(base: dict[str, int], sizes: Sizes) -> Iterator[Copies]:
    yield _downloads(base, sizes)
    yield _events(base, sizes)


def _downloads(base: dict[str, int], sizes: Sizes) -> Copies:
    """Three fifths of the rows are from downloads of 992 files; the others, of twelve."""
    of = f"(n / {SHARDS})"
    is_sharded = f"{of} % 5 < 3"
    session = f"(CASE WHEN {is_sharded} THEN {of} ELSE n / {FILES} END)"
    file = f"(CASE WHEN {is_sharded} THEN n % {SHARDS} ELSE n % {FILES} END + 1)"
    sharded, other = (_downloaded(base, kind, session, file) for kind in kinds(sizes))
    differing = {
        name: f"CASE WHEN {is_sharded} THEN {expression} ELSE {other[name]} END"
        for name, expression in sharded.items()
    }
    person = f"{base['User']} + {hot(session, 17, sizes.people)}"
    return (
        "Download",
        sizes.downloads,
        {
            "at": ago(f"{DAYS} * (1 - n / {sizes.downloads}::float8)"),
            "user_id": person,
            "credential_id": f"{uuid('token', person)}::text",
            "request_id": "md5(n::text)",
            **differing,
        },
    )


def _downloaded(base: dict[str, int], kind: Kind, session: str, file: str) -> dict[str, str]:
    """A file of the newest revision of the session's checkpoint, often a popular one."""
    number = hot(session, 16, kind.checkpoints)
    newest = f"({base['Revision'] + kind.revisions_before} + {number} * {kind.revisions_each})"
    checkpoint = kind.checkpoint(base, number)
    blob = kind.blob(number, str(kind.revisions_each), file)
    return {
        "checkpoint_id": checkpoint,
        "file_id": f"{base['File']} + {blob}",
        "repo_id": f"'lab' || ({checkpoint}) % 500 || '/model-' || ({checkpoint})",
        "revision": digest(f"'revision' || {newest}", 40),
        "path": kind.path(file),
        "sha256": digest(f"{base['Blob']} + {blob}"),
    }


def _events(base: dict[str, int], sizes: Sizes) -> Copies:
    grant = f"(1 + floor({sizes.people * GRANTS_EACH} * {chance('n', 18)})::bigint)"
    holder = f"{base['User']} + ({grant} - 1) / {GRANTS_EACH} + 1"
    actions = ["grant.created", "grant.ended", "application.submitted", "link.issued"]
    return (
        "AuditEvent",
        sizes.events,
        {
            "at": ago(f"{DAYS} * (1 - n / {sizes.events}::float8)"),
            "actor_id": uuid("user", holder),
            "action": pick(actions, "n", 19),
            "object_kind": "'grant'",
            "object_id": f"{uuid('grant', grant)}::text",
            "request_id": "md5(n::text)",
        },
    )
