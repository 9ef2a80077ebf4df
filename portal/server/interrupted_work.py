"""Resume the work that a killed worker of an embedded install left behind.

Its rows stay leased and its tasks unacknowledged for minutes, so that no other worker takes them.
An embedded install has only one worker, so when it starts, none is working on them.
"""

from typing import Any

from celery.signals import worker_init
from django.conf import settings
from django.db import connections
from kombu import Connection

from weights.integrity import lease, verification


@worker_init.connect
def take_up(**kwargs: Any) -> None:
    """End the leases of the last worker, and queue its tasks and unverified blobs again.

    Does nothing in installs that may have several workers, and in read-only mode, in which the
    worker takes no tasks.
    """
    if settings.READ_ONLY or not getattr(settings, "EMBEDDED_BROKER", False):
        return
    lease.expire_all()
    verification.make_unverified_due()
    connections.close_all()
    _queue_unacknowledged(settings.CELERY_BROKER_URL)


def _queue_unacknowledged(broker_url: str) -> None:
    """Return every task that was delivered but not acknowledged to its queue."""
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS | {"visibility_timeout": 0}
    with Connection(broker_url, transport_options=options) as broker:
        channel: Any = broker.default_channel  # typed as the base of all channels, which has no qos
        channel.qos.restore_visible(num=None)
