"""The state of the portal, read from its database at each scrape.

Most numbers are those of the health page. Workers are not scraped: the database has the results
of their work.
"""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import Error
from django.db.models import Count, Q, Sum
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from accounts.audit.models import AuditEvent
from portal.health import findings
from portal.health.findings import Line
from weights.integrity.models import VerificationRun
from weights.publishing.models import Revision
from weights.uploads.models import Upload

#: Name of a number of a line (`Line.values`) -> name of the metric and its help.
LINES = {
    "review_waiting": ("review_waiting_applications", "Applications that wait for an answer."),
    "review_oldest": ("review_oldest_seconds", "Age of the oldest of these."),
    "review_overdue": ("review_overdue_applications", "First decisions past ANSWER_DAYS."),
    "change_requests_waiting": ("change_requests_waiting", "Requests for a second person."),
    "verification_waiting": ("verification_waiting_blobs", "Blobs that wait for a check."),
    "verification_oldest": ("verification_oldest_seconds", "Age of the oldest of these."),
    "quarantined_published": ("quarantined_blobs", "Published blobs in quarantine."),
    "scrub_overdue": ("scrub_overdue_blobs", "Blobs not read within SCRUB_DAYS."),
    "store_missing": ("store_missing_blobs", "Blobs that the last survey did not find."),
    "store_overwritten": ("store_overwritten_blobs", "Blobs with a newer version above theirs."),
    "manifests_unsigned": ("manifests_unsigned", "Revisions without a signature for an hour."),
    "links_waiting": ("checkpoint_links_waiting", "Checkpoint links being prepared."),
    "links_failed": ("checkpoint_links_failed", "Checkpoint links that could not be issued."),
    "mail_waiting": ("mail_waiting", "Mails to deliver."),
    "mail_oldest": ("mail_oldest_seconds", "Age of the oldest of these."),
    "mail_failed": ("mail_failed", "Mails that were given up."),
    "audit_unsealed": ("audit_unsealed_rows", "Rows of the trail and the ledger without a seal."),
    "audit_unsealed_oldest": ("audit_unsealed_oldest_seconds", "Age of the oldest of these."),
    "audit_seal_age": ("audit_seal_age_seconds", "Time since the last seal."),
    "audit_head_age": ("audit_head_age_seconds", "Time since the last signed head."),
    "audit_head_rows": ("audit_head_rows", "Rows under the last signed head."),
    "audit_copies_failed": ("audit_head_copies_failed", "Copies of heads not written."),
    "items_failing": ("failing_items", "Rows whose task or step fails and is retried."),
    "broker_up": ("broker_up", "1 if the broker answers."),
    "queue": ("broker_queue_length", "Tasks that wait for a worker."),
}
_STATES = {"ok": 0, "late": 1, "alarm": 2}
#: Seconds over which the rate of verification is a mean.
_RATE_OVER = 300


class DatabaseCollector(Collector):
    """Gauges of the portal's state: two dozen queries and one request to the broker."""

    def describe(self) -> list[Metric]:
        """Return nothing; otherwise registering this collector would run the queries."""
        return []

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        try:
            lines = findings.lines(with_bucket=False)
            families = [*_lines(lines), *_verification(now), *_work(), _events(now)]
        except Error:
            families = []
        up = "1 if the database answered; otherwise only counters of this process follow."
        yield GaugeMetricFamily("weighbridge_database_up", up, float(bool(families)))
        yield from families


def _lines(lines: list[Line]) -> Iterator[Metric]:
    state = _family("finding_state", "Line of the health page: 0 fine, 1 late, 2 alarm.", "finding")
    sweep = _family("sweep_age_seconds", "Time since the end of a sweep's last run.", "finding")
    numbers: dict[str, float] = {}
    for line in lines:
        state.add_metric([line.name], _STATES[line.state])
        values = dict(line.values)
        age = values.pop("sweep_age", math.nan)
        if not math.isnan(age):
            sweep.add_metric([line.name], age)
        numbers |= values
    yield from (state, sweep)
    for key, number in numbers.items():
        name, text = LINES[key]
        yield GaugeMetricFamily(f"weighbridge_{name}", text, number)


def _verification(now: datetime) -> Iterator[Metric]:
    """Checks that ended within the last five minutes."""
    ended = VerificationRun.objects.filter(finished_at__gt=now - timedelta(seconds=_RATE_OVER))
    results = {
        result: Count("pk", filter=Q(result=result))
        for result in VerificationRun.Result
        if result != VerificationRun.Result.RUNNING
    }
    found = ended.aggregate(total=Sum("bytes_read"), **results)
    rate = "Bytes per second that checks have read, over five minutes."
    yield GaugeMetricFamily(
        "weighbridge_verification_bytes_per_second", rate, (found.pop("total") or 0) / _RATE_OVER
    )
    family = _family("verification_results", "Checks of the last five minutes.", "result")
    for result, count in found.items():
        family.add_metric([result], count)
    yield family


def _work() -> Iterator[Metric]:
    """Owners' uploads and drafts."""
    uploads = _family("uploads", "Uploads of the last day by their state.", "state")
    of_uploads = {state: Count("pk", filter=Q(state=state)) for state in Upload.State}
    for state, count in Upload.objects.live().aggregate(**of_uploads).items():
        uploads.add_metric([state], count)
    yield uploads
    drafts = Revision.objects.filter(state=Revision.State.DRAFT).count()
    yield GaugeMetricFamily("weighbridge_drafts", "Drafts that nobody has published.", drafts)


def _events(now: datetime) -> Metric:
    """Events of the audit trail, such as issued links, by their names in docs/audit.md."""
    family = _family("events_last_hour", "Audit events of the last hour.", "event")
    recent = AuditEvent.objects.filter(at__gt=now - timedelta(hours=1)).order_by()
    for action, count in recent.values_list("action").annotate(Count("pk")):
        family.add_metric([action], count)
    return family


def _family(name: str, text: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"weighbridge_{name}", text, labels=[label])
