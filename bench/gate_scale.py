"""Measure how the gate scales: a million grants and files against ten thousand.

Run from the project's folder: `.venv/bin/python bench/gate_scale.py [--postgres] [--explain]`.
Two databases are filled by bulk SQL: SQLite, or with `--postgres` a PostgreSQL server each. For
each database, a process calls `gate.decide` with random tokens for random files, in turn for five
rounds. `--explain` prints the query plan of the larger database.
"""

import random
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from support import copies, install, report, sizes
from support.report import Round
from support.sizes import Sides
from support.usage import show_help

ROUNDS = 5
SECONDS = 2.0  # per side and round
SMALL, LARGE = 10_000, 1_000_000
GRANTS_EACH = 10  # per person, each for another tier
FILES_EACH = 1000  # per checkpoint
TOKENS = 500


def main(arguments: list[str]) -> None:
    with sizes.filled(fill, SMALL, LARGE, arguments) as sides:
        compare(sides)
        if "--explain" in arguments:
            print(sides.many.apply(plan))


def compare(sides: Sides) -> None:
    sides.rounds(1, decide, 1.0)  # fills caches
    many, few = sides.rounds(ROUNDS, decide, SECONDS)
    report.line(
        f"gate at {LARGE:,} grants and {LARGE:,} files, {sides.vendor}",
        "decisions/s",
        many,
        f"at {SMALL:,} of each",
        few,
        cpu_unit="decision",
        peak=sides.peak(),
    )


# -- what happens in each side's process ---------------------------------------------------


def fill(folder: Path, environment: dict[str, str], count: int) -> str:
    """Fill a database with `count` grants and `count` files; returns its vendor."""
    install.prepare(folder, **environment)
    from django.db import connection

    first = template(folder)
    people, checkpoints = count // GRANTS_EACH, count // FILES_EACH
    with connection.cursor() as cursor:
        for table in tables(first, people, checkpoints):
            cursor.execute(copies.of(*table))
        cursor.execute("ANALYZE")
    tokens_for(people)
    return connection.vendor


def template(folder: Path) -> dict[str, Any]:
    """One record of each model, created by the portal's own code, to copy."""
    from accounts.api_tokens.models import ApiToken
    from accounts.grants.models import Grant
    from accounts.tiers.models import Tier
    from accounts.users.models import User
    from weights.catalogue.models import Checkpoint
    from weights.publishing.models import File, Ref, Revision
    from weights.storage.models import Blob

    source = install.many_files(folder / "source", 1)
    install.publish(source, "bench/model", "reviewed")
    install.tokens_with_access(1)
    tier = Tier.objects.get(slug="bench-reviewed")
    for number in range(1, GRANTS_EACH):
        tier.pk, tier.slug = tier.pk + 1, f"bench-{number}"
        tier.save(force_insert=True)
    from allauth.account.models import EmailAddress

    kinds: list[Any] = [User, EmailAddress, ApiToken, Grant]
    kinds += [Checkpoint, Revision, Ref, Blob, File]
    return {kind.__name__: kind.objects.get() for kind in kinds}


def tables(first: dict[str, Any], people: int, checkpoints: int) -> list[tuple[Any, int, Any]]:
    """For each record: how many copies to make, and the SQL for what differs in copy `n`."""
    base = {name: record.pk for name, record in first.items()}
    tier = first["Grant"].tier_id
    files = checkpoints * FILES_EACH
    person, checkpoint = f"{base['User']} + {{}}", f"{base['Checkpoint']} + {{}}"
    of_file = f"{base['Revision']} + (n - 1) / {FILES_EACH} + 1"
    return [
        (first["User"], people, {"username": "'p' || n", "email": "'p' || n || '@a.org'"}),
        (first["EmailAddress"], people, {"user_id": person.format("n"), "email": "'p' || n"}),
        (first["ApiToken"], people, {"user_id": person.format("n"), "digest": "'d' || n"}),
        (
            first["Grant"],
            people * GRANTS_EACH,
            {
                "user_id": person.format(f"(n - 1) / {GRANTS_EACH} + 1"),
                "tier_id": f"{tier} + (n - 1) % {GRANTS_EACH}",
            },
        ),
        (
            first["Checkpoint"],
            checkpoints,
            {"name": "'m' || n", "tier_id": f"{tier} + n % {GRANTS_EACH}"},
        ),
        (
            first["Revision"],
            checkpoints,
            {"checkpoint_id": checkpoint.format("n"), "sha": copies.padded("n", 40)},
        ),
        (
            first["Ref"],
            checkpoints,
            {"checkpoint_id": checkpoint.format("n"), "revision_id": f"{base['Revision']} + n"},
        ),
        (first["Blob"], files, {"sha256": copies.padded("n", 64)}),
        (
            first["File"],
            files,
            {
                "revision_id": of_file,
                "blob_id": f"{base['Blob']} + n",
                "path": f"'shard-' || ((n - 1) % {FILES_EACH}) || '.pt'",
            },
        ),
    ]


class Requests:
    """Token digests and the number of checkpoints in this process's database."""

    digests: list[str] = []
    checkpoints = 0


def tokens_for(people: int) -> None:
    """Give random people tokens with random digests."""
    from accounts.api_tokens.models import ApiToken
    from weights.catalogue.models import Checkpoint

    dice = random.Random(1)
    first = ApiToken.objects.order_by("pk").values_list("pk", flat=True)[0]
    for person in dice.sample(range(1, people + 1), min(TOKENS, people)):
        digest = sha256(b"%d" % person).hexdigest()
        ApiToken.objects.filter(pk=first + person).update(digest=digest)
        Requests.digests.append(digest)
    Requests.checkpoints = Checkpoint.objects.count() - 1


def decide(seconds: float) -> Round:
    """Return decisions per second, and CPU seconds per decision."""
    from django.utils import timezone

    from weights import gate
    from weights.gate.caller import TokenClaim

    dice = random.Random()
    count, cpu, started = 0, time.process_time(), time.monotonic()
    while time.monotonic() - started < seconds:
        claim = TokenClaim(dice.choice(Requests.digests))
        name = f"bench/m{dice.randint(1, Requests.checkpoints)}"
        path = f"shard-{dice.randrange(FILES_EACH)}.pt"
        decision = gate.decide(claim, name, "main", path, timezone.now())
        if not decision.allowed:
            raise SystemExit(f"{name} {path}: {decision.message}")
        count += 1
    passed = time.monotonic() - started
    return Round(count / passed, (time.process_time() - cpu) / count)


def plan() -> str:
    """The database's query plan of one decision."""
    from django.db import connection

    from weights.gate.statement import _STATEMENTS

    digest = Requests.digests[0]
    bound = [digest, "bench", "m7", "2030-01-01", "main", "shard-7.pt"]
    word = "EXPLAIN (ANALYZE)" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{word} {_STATEMENTS['token', 'ref']}", bound)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


if __name__ == "__main__":
    show_help(__doc__)
    main(sys.argv[1:])
