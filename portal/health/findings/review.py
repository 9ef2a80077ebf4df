"""Applications that wait for a first decision, and requests for a second person."""

from datetime import datetime

from django.conf import settings
from django.db.models import Count, Min, Q
from django.urls import reverse

from accounts.applications.models import Application
from accounts.change_requests.models import ChangeRequest
from accounts.review import working_days
from accounts.roles.models import in_tiers
from portal.health.findings.line import Line, seconds, waiting_text


def queue(now: datetime, tiers: set[int] | None) -> list[Line]:
    today = working_days.utc_date(now)
    beyond = settings.ANSWER_ALARM_DAYS - settings.ANSWER_DAYS
    alarm_before = working_days.add(today, -max(beyond, 0))
    found = in_tiers(Application.objects.waiting(), tiers).aggregate(
        waiting=Count("pk"),
        oldest=Min("submitted_at"),
        overdue=Count("pk", filter=Q(due_on__lt=today)),
        alarmed=Count("pk", filter=Q(due_on__lt=alarm_before)),
    )
    page = reverse("admin:accounts_application_changelist")
    text = waiting_text(found["waiting"], found["oldest"], now)
    late = "alarm" if found["alarmed"] else "late" if found["overdue"] else "ok"
    return [
        Line(
            "Waiting applications",
            "ok",
            text,
            page,
            {"review_waiting": found["waiting"], "review_oldest": seconds(found["oldest"], now)},
        ),
        Line(
            "First decisions overdue",
            late,
            f"{found['overdue']}; {found['alarmed']} beyond"
            f" {settings.ANSWER_ALARM_DAYS} working days",
            page,
            {"review_overdue": found["overdue"]},
        ),
    ]


def second_person(now: datetime) -> Line:
    """Whether opening a gate needs a second person, and how many requests wait for one."""
    name, page = "Second person", reverse("admin:accounts_changerequest_changelist")
    if settings.SINGLE_OPERATOR:
        text = "not asked for: SINGLE_OPERATOR is on, so one person may open a gate further"
        return Line(name, "ok", text, page)
    waiting = ChangeRequest.objects.waiting(now).count()
    text = f"confirms what opens a gate further; {waiting} requests wait"
    return Line(name, "ok", text, page, {"change_requests_waiting": waiting})
