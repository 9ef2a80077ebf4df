"""Measure pages, APIs and the trail on a large PostgreSQL database against a small one.

Run from the project's folder: `.venv/bin/python bench/scale.py [--scale 1] [--against 0.01]
[--rounds 25] [--seconds 0.2] [--data FOLDER] [--only CASE]`. At scale 1 there are 10⁵ people,
10⁶ grants, 10⁴ checkpoints, 10⁷ files and 10⁷ ledger rows, which takes 12 GB and half an hour; 0.1
takes a few minutes. Two servers with default settings are filled by bulk SQL. For each database, a
process runs each case, in turn for `--rounds` rounds of `--seconds` seconds of CPU time. A line
per case gives for both the mean CPU time of a run, in this process and in PostgreSQL, and the
median, smallest and largest ratio of a round; above 1, the large database is slower. Then come
wall-clock times, which vary more under load than the CPU time but include waits for the disk, and
the sizes of the large database's tables. With `--data`, the databases stay in a folder and are
reused at the same scales.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

from support import counters, cpu, install, population, postgres, wsgi
from support.pages import signed_in
from support.population import Sizes
from support.usage import show_help

GOAL = 1.15
#: Minimum and maximum runs of a case per side and round.
LEAST, MOST = 3, 2000
PORT = 8999  # only in URLs
PEOPLE, PLACES = 20, 200


@dataclass(frozen=True)
class Sample:
    """Runs of a case: their wall-clock times, and the CPU time of one, in seconds."""

    times: list[float]
    process: float
    database: float

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    @property
    def cpu(self) -> float:
        return self.process + self.database


def main(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-scale-") as name, ExitStack() as stack:
        folder = Path(arguments.data or name)
        few = stack.enter_context(side(folder / "small", arguments.against, arguments.data))
        many = stack.enter_context(side(folder / "large", arguments.scale, arguments.data))
        cases = [case for case in many.apply(names) if arguments.only in case]
        for case in cases:
            compare(case, few, many, arguments.rounds, arguments.seconds)
        took = [pool.apply(recount) for pool in (many, few)]
        print(f"public statistics, counted by a sweep: {took[0]:.1f} s; small: {took[1]:.1f} s")
        for line in many.apply(table_sizes):
            print(line, flush=True)
        for pool in (few, many):
            pool.apply(install.close)


@contextmanager
def side(folder: Path, scale: float, keep: str) -> Iterator[Pool]:
    """A process with its own filled database and cache."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        postgres.server(folder, keep=bool(keep)) as address,
        counters.running(folder) as cache,
        get_context("spawn").Pool(1) as pool,
    ):
        pool.apply(fill, (folder, {"DATABASE_URL": address, **cache}, scale))
        yield pool


def compare(case: str, few: Pool, many: Pool, rounds: int, seconds: float) -> None:
    """Measure one case on both sides in turn; each side goes first in every second round."""
    found: dict[Pool, list[Sample]] = {few: [], many: []}
    for number in range(rounds + 1):
        for pool in (few, many) if number % 2 else (many, few):
            sample = pool.apply(measure, (case, seconds))
            if number:  # the first round fills caches
                found[pool].append(sample)
    pairs = list(zip(found[many], found[few], strict=True))
    ratios = [large.cpu / small.cpu for large, small in pairs]
    clock = statistics.median(large.median / small.median for large, small in pairs)
    ratio = statistics.median(ratios)
    print(
        f"{case}: CPU {_cpu(found[many])}; small: {_cpu(found[few])};"
        f" {ratio:.2f} times ({min(ratios):.2f} to {max(ratios):.2f})"
        + ("" if ratio <= GOAL else f", more than {GOAL}")
        + f". Clock {_clock(found[many])}; small: {_clock(found[few])}; {clock:.2f} times",
        flush=True,
    )


def _mean(samples: list[Sample]) -> Sample:
    """Merge the samples; the CPU time is the mean of all runs."""
    times = [time for sample in samples for time in sample.times]
    process = sum(sample.process * len(sample.times) for sample in samples)
    database = sum(sample.database * len(sample.times) for sample in samples)
    return Sample(times, process / len(times), database / len(times))


def _cpu(samples: list[Sample]) -> str:
    mean = _mean(samples)
    return f"{1000 * mean.process:.3g} + {1000 * mean.database:.3g} ms"


def _clock(samples: list[Sample]) -> str:
    times = sorted(1000 * time for sample in samples for time in sample.times)
    return f"p50 {statistics.median(times):.3g} ms, p95 {times[int(0.95 * len(times))]:.3g} ms"


# -- what happens in each side's process ---------------------------------------------------

CASES: dict[str, Callable[[], object]] = {}
DICE = random.Random(1)


def fill(folder: Path, environment: dict[str, str], scale: float) -> None:
    """Fill the database unless it is filled, and prepare the cases.

    Raises RuntimeError if the folder of `--data` was filled partly or at another scale.
    """
    public = {"PUBLIC_URL": f"http://127.0.0.1:{PORT}"}
    install.prepare(folder, **public, **environment, ALLOWED_HOSTS="testserver,127.0.0.1")
    sizes, started = Sizes.at(scale), time.monotonic()
    filled = folder / "scale"
    if not filled.exists():
        filled.write_text("unfinished")
        tune(BULK)
        population.fill(folder, sizes)
        tune({})
        filled.write_text(str(scale))
        print(f"filled scale {scale} in {time.monotonic() - started:.0f} s", flush=True)
    elif filled.read_text() != str(scale):
        found = filled.read_text()
        raise RuntimeError(f"{folder}: its scale is {found}, not {scale}; delete this folder")
    CASES.update(cases(sizes))


#: Settings of PostgreSQL while rows are copied.
BULK = {"autovacuum": "off", "fsync": "off", "full_page_writes": "off", "max_wal_size": "2GB"}


def tune(settings: dict[str, str]) -> None:
    """Apply these settings, and reset all others to their defaults."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
        cursor.execute("ALTER SYSTEM RESET ALL")
        for name, value in settings.items():
            cursor.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        cursor.execute("SELECT pg_reload_conf()")


def names() -> list[str]:
    return list(CASES)


def measure(case: str, seconds: float) -> Sample:
    """Run a case for `seconds` of this process's CPU time, and at least LEAST times."""
    times: list[float] = []
    pids = cpu.connections()
    before, until = cpu.spent(pids), time.process_time() + seconds
    while len(times) < LEAST or (time.process_time() < until and len(times) < MOST):
        started = time.perf_counter()
        try:
            CASES[case]()
        # The other process cannot unpickle Django's exceptions, and SystemExit would end this one.
        except (Exception, SystemExit) as error:
            raise RuntimeError(f"{case}: {error!r}") from None
        times.append(time.perf_counter() - started)
    process, database = (
        (end - start) / len(times) for start, end in zip(before, cpu.spent(pids), strict=True)
    )
    return Sample(times, process, database)


def cases(sizes: Sizes) -> dict[str, Callable[[], object]]:
    """Each case as a function that runs it once."""
    from weights.my_access import views

    views.OFFERED = 5  # so that both list as many; the small database has few
    people = readers(sizes)
    clients = [signed_in(person) for person in people]
    reviewer = signed_in(new_reviewer())
    tokens = [token_of(person) for person in people]
    return {
        "gate decision": lambda: decide(DICE.choice(tokens)),
        "resolve (HEAD)": resolver(tokens[0]),
        "tree of 992 files, not cached": lister(tokens[0]),
        "catalogue": page(clients, "/models"),
        "catalogue, searched": searcher(clients, sizes),
        "catalogue, filtered": filterer(clients),
        "review queue": page([reviewer], "/admin/accounts/application/"),
        "my access": page(clients, "/access/"),
        "transparency": page(clients, "/transparency/"),
        "audit append": append,
        "audit proof": prover(sizes),
        "own events": page(clients, "/access/events/"),
    }


# -- people and files of the cases ---------------------------------------------------------


def readers(sizes: Sizes) -> list[Any]:
    """People with about forty ledger rows each."""
    from django.db import connection

    from accounts.users.models import User

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT user_id FROM weights_download WHERE user_id BETWEEN %s AND %s"
            " GROUP BY user_id ORDER BY abs(count(*) - 40), user_id LIMIT %s",
            [sizes.people // 2, sizes.people // 2 + max(sizes.people // 10, 100), PEOPLE],
        )
        return [User.objects.get(pk=pk) for (pk,) in cursor.fetchall()]


def new_reviewer() -> Any:
    from accounts.roles.models import RoleAssignment
    from accounts.roles.permissions import Role
    from accounts.users.models import User

    person, created = User.objects.get_or_create(username="reviewer", email="r@lab.example")
    if created:
        RoleAssignment.objects.assign(person, Role.REVIEWER)
    return User.objects.get(pk=person.pk)


def token_of(person: Any) -> str:
    from accounts.api_tokens.models import ApiToken

    return ApiToken.objects.mint(person, name="bench", scopes=["read-gated"])[1]


def page(clients: list[Any], address: str) -> Callable[[], object]:
    def get() -> None:
        response = DICE.choice(clients).get(address)
        assert response.status_code == 200, f"{address}: {response.status_code}"

    return get


def searcher(clients: list[Any], sizes: Sizes) -> Callable[[], object]:
    """Search the catalogue for one of its organisations, which have twenty checkpoints each."""
    orgs = sizes.checkpoints // population.CHECKPOINTS_EACH
    pages = [page(clients, f"/models?q=lab{number}/") for number in range(orgs)]
    return lambda: DICE.choice(pages)()


def filterer(clients: list[Any]) -> Callable[[], object]:
    """Filter the catalogue by task and size, in several orders."""
    from weights.catalogue.listing.filters import SIZES

    pages = [
        page(clients, f"/models?task={task}&size={size}&sort={order}")
        for task in ("text-generation", "translation", "fill-mask")
        for size in SIZES
        for order in ("name", "downloads", "newest", "parameters")
    ]
    return lambda: DICE.choice(pages)()


def places(count: int) -> list[Any]:
    """Random files of the newest revisions of open checkpoints."""
    from weights.publishing.models import File, Ref

    heads = Ref.objects.filter(name="main", checkpoint__tier__mode="open")
    ids = list(heads.values_list("revision_id", flat=True))
    files = []
    for pk in DICE.choices(ids, k=count):
        named = File.objects.select_related("revision__checkpoint", "blob")
        files.append(DICE.choice(list(named.filter(revision_id=pk)[: population.FILES])))
    return files


# -- cases -----------------------------------------------------------------------------------


def decide(token: str) -> None:
    """Decide on a random file for a person with a token; gated files may be refused."""
    from django.utils import timezone

    from weights import gate
    from weights.gate.caller import token_claim

    place, claim = DICE.choice(_all_names()), token_claim(f"Bearer {token}")
    decision = gate.decide(claim, place, "main", "README.md", timezone.now())
    assert decision.status in {200, 403}, decision


NAMES: list[str] = []


def _all_names() -> list[str]:
    """`org/name` of all checkpoints except the template."""
    if not NAMES:
        from weights.catalogue.models import Checkpoint

        rows = Checkpoint.objects.exclude(org="bench").values_list("org", "name")
        NAMES.extend(f"{org}/{name}" for org, name in rows)
    return NAMES


def resolver(token: str) -> Callable[[], object]:
    """Request HEAD of random files, which are sparse in the store."""
    from weights.storage import blob_storage

    storage, ask = blob_storage(), wsgi.client(PORT, token)
    addresses = []
    for file in places(PLACES):
        path = storage.local_path(file.blob.sha256)
        assert path is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            stream.truncate(file.blob.size)
        stored = storage.stat(file.blob.sha256)
        assert stored is not None
        type(file.blob).objects.filter(pk=file.blob.pk).update(
            mark=stored.mark, version_in=storage.address
        )
        addresses.append(f"/{file.revision.checkpoint.repo_id}/resolve/main/{file.path}")
    return lambda: ask("HEAD", DICE.choice(addresses))


def lister(token: str) -> Callable[[], object]:
    """List the tree of a random sharded revision, without cached listings."""
    from weights.catalogue.models import Checkpoint
    from weights.hub_api import git_trees, page_cache

    ask = wsgi.client(PORT, token)
    sharded = Checkpoint.objects.filter(
        refs__name="main", refs__revision__file_count=population.SHARDS
    )
    names = [one.repo_id for one in sharded.distinct()]

    def tree() -> None:
        page_cache.tree_pages.clear()
        git_trees._listing.cache_clear()
        ask("GET", f"/api/models/{DICE.choice(names)}/tree/main")

    return tree


def append() -> None:
    from django.db import transaction

    from accounts.audit.event_tags import AccountsEvent
    from accounts.audit.models import AuditEvent

    with transaction.atomic():
        AuditEvent.record(AccountsEvent.AUDIT_HEAD_SIGNED, details={"size": 1})


def prover(sizes: Sizes) -> Callable[[], object]:
    """Prove a random ledger row to the person who downloaded the file."""
    from accounts.audit.merkle_log import proof_documents, sealed_tables
    from accounts.users.models import User
    from weights.ledger.models import Download

    first = Download.objects.order_by("pk").values_list("pk", flat=True)[0]
    log, rows = sealed_tables.get_log("download"), []
    for _ in range(PLACES):
        row = Download.objects.get(pk=first + DICE.randint(1, sizes.downloads))
        rows.append((User.objects.get(pk=row.user_id or 0), row.pk))

    def prove() -> None:
        person, row_id = DICE.choice(rows)
        assert proof_documents.inclusion(log, person, row_id) is not None

    return prove


def recount() -> float:
    """The seconds for the sweep to count the public statistics."""
    from accounts import transparency

    started = time.monotonic()
    transparency.renew(datetime.now(UTC))
    return time.monotonic() - started


def table_sizes() -> list[str]:
    """Rows and bytes of the largest tables, and bytes of their indexes."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, reltuples::bigint, pg_table_size(oid), pg_indexes_size(oid)"
            " FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " AND reltuples > 0 ORDER BY pg_total_relation_size(oid) DESC LIMIT 12"
        )
        lines = [
            f"{name}: {rows:,} rows, {(table + indexes) / 2**20:,.0f} MiB,"
            f" {table / rows:.0f} + {indexes / rows:.0f} bytes a row with its indexes"
            for name, rows, table, indexes in cursor.fetchall()
        ]
        cursor.execute("SELECT pg_database_size(current_database())")
        return [*lines, f"database: {cursor.fetchone()[0] / 2**30:.1f} GiB"]


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--against", type=float, default=0.01)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--data", default="")
    parser.add_argument("--only", default="", help="a part of the cases' names")
    return parser.parse_args()


if __name__ == "__main__":
    show_help(__doc__)
    main(parsed())
