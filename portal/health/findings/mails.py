"""Mails that wait or have failed, and mails about recalls."""

from datetime import datetime

from django.conf import settings
from django.db.models import Count, Min, Q
from django.db.models.functions import Coalesce, Greatest
from django.urls import reverse

from accounts.mail.models import OutgoingMail
from portal.health.findings.line import PATIENCE, Line, seconds, waiting_text
from weights.recalls.models import Recall


def outbox(now: datetime) -> list[Line]:
    state = OutgoingMail.State
    found = OutgoingMail.objects.filter(state__in=[state.QUEUED, state.FAILED]).aggregate(
        queued=Count("pk", filter=Q(state=state.QUEUED)),
        oldest=Min("created_at", filter=Q(state=state.QUEUED)),
        failed=Count("pk", filter=Q(state=state.FAILED)),
    )
    page = reverse("admin:accounts_outgoingmail_changelist")
    waits = found["oldest"] is not None and now - found["oldest"] > PATIENCE
    text = waiting_text(found["queued"], found["oldest"], now)
    if not settings.MAIL_LEAVES:
        text += "; no mail server is configured, so messages are only stored here"
    return [
        Line(
            "Mails to deliver",
            "late" if waits else "ok",
            text,
            page,
            {"mail_waiting": found["queued"], "mail_oldest": seconds(found["oldest"], now)},
        ),
        Line(
            "Mails that failed",
            "alarm" if found["failed"] else "ok",
            str(found["failed"]),
            f"{page}?state__exact=failed",
            {"mail_failed": found["failed"]},
        ),
    ]


def recall_mails(now: datetime) -> Line:
    """Recalls whose mails were not all written or delivered within PATIENCE."""
    state = OutgoingMail.State
    kinds = ["recall_opened", "recall_repaired"]
    mails = OutgoingMail.objects.filter(kind__in=kinds, state__in=[state.QUEUED, state.FAILED])
    stuck = mails.filter(created_at__lt=now - PATIENCE).count()
    changed = Greatest("opened_at", Coalesce("repaired_at", "opened_at"))
    unwritten = Recall.objects.filter(told_at=None).alias(at=changed)
    recalls = unwritten.filter(at__lt=now - PATIENCE).count()
    page = reverse("admin:weights_recall_changelist")
    text = f"{recalls} recalls with unsent mails, {stuck} mails not delivered"
    if not settings.MAIL_LEAVES:
        stuck = 0  # without a mail server, mails are read in the admin
    return Line("Recall mails to send", "alarm" if recalls or stuck else "ok", text, page)
