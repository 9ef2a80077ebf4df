"""Measure the cost of a tamper-evident audit trail: for writes, the gate and checks.

Run from the project's folder: `.venv/bin/python bench/audit.py`. It starts a PostgreSQL server.
In five rounds, eight writers append events, one per transaction: to the trail with its triggers
while a sealer runs, to the same table without triggers and seals, and to a table whose rows are
hash-chained under a lock. Then eight connections GET a small file with and without the ledger,
and `verify_audit`'s check of all rows is compared with reading them.
"""

import json
import os
import statistics
import tempfile
import time
from hashlib import sha256
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

from resolve import Case, load
from support import install, postgres, report, servers
from support.report import Round
from support.usage import show_help

ROUNDS = 5
SECONDS = 4.0  # per side and round
WRITERS = 8
FILES = 992
PEOPLE = 50

_INSERT = (
    "INSERT INTO {table} (at, actor_id, credential_kind, credential_id, action, object_kind,"
    " object_id, result, details, request_id, network) VALUES (now(), gen_random_uuid(),"
    " 'session', '', 'thing.done', 'grant', %s, 'ok', %s, '', '192.0.2.0/24')"
)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-audit-") as name:
        folder = Path(name)
        with postgres.server(folder) as address:
            port = servers.free_port()
            install.prepare(
                folder,
                DATABASE_URL=address,
                PUBLIC_URL=f"http://127.0.0.1:{port}",
                WEB_WORKERS="1",
            )
            make_tables()
            with get_context("spawn").Pool(WRITERS) as writers:
                append(address, writers)
            check()
            gate(folder, port)
            row_sizes()
            install.close()


# -- appending --------------------------------------------------------------------------


def make_tables() -> None:
    """Create the trail's table without triggers and seals, and a hash-chained table."""
    from django.db import connection

    with connection.cursor() as cursor:
        for table in ("plain", "chained"):
            cursor.execute(f"CREATE TABLE {table} (LIKE accounts_auditevent INCLUDING ALL)")
            cursor.execute(f"ALTER TABLE {table} DROP COLUMN written_in")
        cursor.execute("ALTER TABLE chained ADD COLUMN hash bytea")
        cursor.execute("CREATE TABLE chain_head (hash bytea)")
        cursor.execute("INSERT INTO chain_head VALUES ('\\x00')")


def append(address: str, writers: Pool) -> None:
    from accounts.audit.merkle_log.sealer import Sealer, seal
    from accounts.audit.models import SealedRow

    found: dict[str, list[Round]] = {"accounts_auditevent": [], "plain": [], "chained": []}
    unsealed = []
    for table in found:
        write_all(address, writers, table, 0.5)
    for _ in range(ROUNDS):
        for table, rounds in found.items():
            before = SealedRow.objects.count()
            sealer = Sealer()
            if table == "accounts_auditevent":
                sealer.start()
            written, took = write_all(address, writers, table, SECONDS)
            if sealer.is_alive():
                unsealed.append(written - (SealedRow.objects.count() - before))
                sealer.stop()
                seal()  # the rest, so that the other sides do not pay for it
            rounds.append(Round(written / took, took * WRITERS / max(written, 1)))
    ours = found["accounts_auditevent"]
    for label, base in (("plain insert", "plain"), ("chain under a lock", "chained")):
        report.line(
            f"append, {WRITERS} writers, sealed",
            "rows/s",
            ours,
            label,
            found[base],
            cpu_unit="row (a writer's time)",
            peak=_peak(),
        )
    print(
        f"  not yet sealed when the last row was written: {statistics.median(unsealed):.0f}",
        flush=True,
    )


def write_all(address: str, writers: Pool, table: str, seconds: float) -> tuple[int, float]:
    """Return the number of rows written by all writers, and the seconds."""
    started = time.monotonic()
    jobs = [writers.apply_async(write, (address, table, seconds)) for _ in range(WRITERS)]
    return sum(job.get() for job in jobs), time.monotonic() - started


def write(address: str, table: str, seconds: float) -> int:
    """Append rows, one per transaction; return their number. Runs in a writer's process."""
    import psycopg

    statement = _INSERT.format(table=table)
    rows = 0
    with psycopg.connect(address, autocommit=True) as connection:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            details = json.dumps({"tier": "opt-175b", "number": rows, "by": os.getpid()})
            if table == "chained":
                _chain(connection, statement, str(rows), details)
            else:
                connection.execute(statement, [str(rows), details])
            rows += 1
    return rows


def _chain(connection: Any, statement: str, key: str, details: str) -> None:
    with connection.transaction():
        head = connection.execute("SELECT hash FROM chain_head FOR UPDATE").fetchone()[0]
        head = sha256(head + details.encode()).digest()
        connection.execute(statement, [key, details])
        connection.execute("UPDATE chain_head SET hash = %s", [head])


# -- checking ---------------------------------------------------------------------------


def check() -> None:
    """Compare rows checked per second with rows read per second."""
    from accounts.audit.merkle_log import sealed_tables
    from accounts.audit.merkle_log.verification import TrailVerification

    rounds: tuple[list[Round], list[Round]] = ([], [])
    for _ in range(3):
        started, cpu = time.monotonic(), time.process_time()
        verification = TrailVerification()
        verification.run()
        rows, took = verification.verified.rows, time.monotonic() - started
        rounds[0].append(Round(rows / took, (time.process_time() - cpu) / rows))
        started, cpu = time.monotonic(), time.process_time()
        read = sum(
            1
            for _ in sealed_tables.EVENTS.rows.values_list(*sealed_tables.EVENTS.fields).iterator()
        )
        rounds[1].append(
            Round(read / (time.monotonic() - started), (time.process_time() - cpu) / read)
        )
    label = f"check of {rows} sealed rows"
    report.line(label, "rows/s", rounds[0], "reading them", rounds[1], cpu_unit="row", peak=_peak())


def _peak() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def row_sizes() -> None:
    """Print the bytes on disk per row, including indexes."""
    from django.db import connection

    from accounts.audit.models import AuditEvent, SealedRow
    from weights.ledger.models import Download

    for model in (AuditEvent, Download, SealedRow):
        table, rows = model._meta.db_table, model.objects.count()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_total_relation_size(%s)", [table])
            size = cursor.fetchone()[0]
        print(f"size of a row of {table}: {size / rows:.0f} bytes, of {rows} rows", flush=True)


# -- the gate ---------------------------------------------------------------------------


def gate(folder: Path, port: int) -> None:
    """Compare a GET that writes a ledger row with one that does not, while a sealer runs."""
    from accounts.audit.merkle_log.sealer import Sealer
    from portal import processes

    source = install.many_files(folder / "source", FILES)
    names = [path.name for path in source.iterdir()]
    install.publish(source, "bench/gated", "reviewed")
    tokens = install.tokens_with_access(PEOPLE)
    paths = [f"/bench/gated/resolve/main/{name}" for name in names]
    base_port = servers.free_port()
    command = processes.web(f"127.0.0.1:{port}")
    base = [word.replace(f":{port}", f":{base_port}") for word in command]
    base[base.index("portal.wsgi:application")] = "comparisons.without_ledger:application"
    case = Case("GET", paths, tokens, "GET")
    sealer = Sealer()
    with (
        servers.running(command, port) as ours,
        servers.running(base, base_port, PYTHONPATH=str(Path(__file__).parent)) as bare,
        get_context("spawn").Pool(1) as clients,
    ):
        sealer.start()
        rounds: dict[int, list[Round]] = {ours.port: [], bare.port: []}
        for server in (ours, bare):
            clients.apply(load, (server.port, case, 1.0))
        for _ in range(ROUNDS):
            for server in (ours, bare):
                cpu = server.cpu()
                waits = clients.apply(load, (server.port, case, SECONDS))
                cost = (server.cpu() - cpu) / len(waits)
                rounds[server.port].append(Round(len(waits) / SECONDS, cost))
        report.line(
            "GET of one byte through the gate, ledger on",
            "requests/s",
            rounds[ours.port],
            "ledger off",
            rounds[bare.port],
            cpu_unit="request",
            peak=ours.peak_memory(),
        )
        sealer.stop()


if __name__ == "__main__":
    show_help(__doc__)
    main()
