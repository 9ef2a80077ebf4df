"""The audit trail: seals, signed heads and their copies."""

from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse

from accounts.audit.merkle_log import signed_heads, unsealed
from accounts.audit.models import HeadCopy, SealBatch
from accounts.background.models import Heartbeat
from portal.health.findings.line import PATIENCE, Line, age_of, seconds, waiting_text
from portal.health.findings.sweeps import failing_steps

#: Ages from which unsealed rows are late, and an alarm; rows are usually sealed within a second.
SEAL_LATE, SEAL_ALARM = timedelta(seconds=30), timedelta(minutes=5)
#: A head is signed daily; the sweep runs each minute.
HEAD_ALARM = timedelta(hours=25)


def lines(sealing: Heartbeat | None, now: datetime) -> list[Line]:
    last = SealBatch.objects.order_by("number").last()
    return [_seals(last, sealing, now), _head(last, now), _copies()]


def _seals(last: SealBatch | None, sealing: Heartbeat | None, now: datetime) -> Line:
    count, since = unsealed.backlog(last)
    waited = now - since if since else timedelta()
    state = "alarm" if waited > SEAL_ALARM else "late" if waited > SEAL_LATE else "ok"
    text = waiting_text(count, since, now)
    if state != "ok":
        text += ": is a worker running, or does a transaction never end?"
    if failures := failing_steps(sealing, now):
        state, text = "alarm", f"{text}; {failures}"
    values = {"audit_unsealed": count, "audit_unsealed_oldest": waited.total_seconds()}
    if last is not None:
        values["audit_seal_age"] = seconds(last.sealed_at, now)
    return Line("Rows of the trail to seal", state, text, values=values)


def _head(last: SealBatch | None, now: datetime) -> Line:
    head = signed_heads.newest()
    page = reverse("accounts:audit")
    if head is not None and head.is_compromised:
        text = "signed with a compromised key, and no worker has a new one yet (docs/audit.md)"
        return Line("Signed head of the trail", "alarm", text, page)
    if head is None:
        waits = last is not None and now - last.sealed_at > PATIENCE
        text = "none yet" + (": does a worker have AUDIT_KEY_FILE set?" if waits else "")
        return Line("Signed head of the trail", "late" if waits else "ok", text, page)
    late = now - head.signed_at > HEAD_ALARM
    text = f"{head.size} rows, signed {age_of(head.signed_at, now)} ago"
    if late:
        text += ": does a worker have AUDIT_KEY_FILE set?"
    values = {"audit_head_age": seconds(head.signed_at, now), "audit_head_rows": head.size}
    return Line("Signed head of the trail", "alarm" if late else "ok", text, page, values)


def _copies() -> Line:
    """Failed copies of signed heads; failed mails have a separate line."""
    waiting = HeadCopy.objects.filter(done_at=None, attempts__gt=0).order_by("-pk")[:100]
    errors = [copy.last_error for copy in waiting if copy.last_error]
    text = f"{len(errors)} could not be written; the last: {errors[0]}" if errors else "0"
    if not (settings.AUDIT_HEAD_RECIPIENTS or settings.AUDIT_HEAD_COPY):
        text += "; no second location is set, so heads are stored on this portal only"
    state = "alarm" if errors else "ok"
    return Line(
        "Copies of heads that failed", state, text, values={"audit_copies_failed": len(errors)}
    )
