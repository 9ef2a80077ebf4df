"""gunicorn's configuration: the portal's log format, a folder for shared counters.

gunicorn loads the portal once, before it listens and forks its workers (`--preload`). So a dead
worker is replaced at once, and nothing before a fork may open a connection or start a thread.
"""

import gc
import os
import shutil
import tempfile
from typing import Any

from django.conf import settings

logconfig_dict = settings.LOGGING

# All processes share one folder, whose name prometheus_client reads when it is imported.
if settings.METRICS_ADDRESS or settings.METRICS_TOKEN:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="weighbridge-metrics-")

# With garbage collection enabled, loading takes a fifth longer.
gc.disable()


def on_starting(server: Any) -> None:
    """Exclude the portal's objects from garbage collection; runs when the portal is loaded.

    A full collection would stop every request of a process for about 70 ms, and copy the memory
    that the processes share.
    """
    gc.freeze()
    gc.enable()


def post_worker_init(worker: Any) -> None:
    from portal.settings import audit_record  # noqa: PLC0415 - models are loaded only now

    audit_record.note_at_start("web")


def on_exit(server: Any) -> None:
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        shutil.rmtree(folder, ignore_errors=True)
