"""CPU time of this process and its PostgreSQL connections, hardly affected by other load."""

import time
from collections.abc import Iterable
from pathlib import Path


def connections() -> list[int]:
    """Process ids of the server's connections to this database."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend'"
        )
        return [pid for (pid,) in cursor.fetchall()]


def spent(pids: Iterable[int]) -> tuple[float, float]:
    """CPU seconds of this process, and of the processes `pids`."""
    return time.process_time(), sum(_of(pid) for pid in pids)


def _of(pid: int) -> float:
    """From the scheduler's nanoseconds: `/proc/PID/stat` counts hundredths of a second."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
