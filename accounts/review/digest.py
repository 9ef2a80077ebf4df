"""What is new on the desks of a reviewer's tiers: one mail a working day, if there is anything."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from accounts.applications.models import Application, ApplicationQuerySet, ApplicationSnapshot
from accounts.applications.state_machine import WAITING_STATES
from accounts.background.periodic import each
from accounts.mail import messages, outbox
from accounts.review import working_days
from accounts.review.models import Consultation
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import DECIDERS
from accounts.users.models import User

#: What was being sent while the last digest was written is told in the next: rather twice
#: than never.
OVERLAP = timedelta(minutes=1)


def send(now: datetime) -> int:
    """To each reviewer, from DIGEST_HOUR (UTC) on."""
    today = working_days.utc_date(now)
    if now.hour < settings.DIGEST_HOUR or not working_days.is_working_day(today):
        return 0
    people = RoleAssignment.objects.filter(role__in=DECIDERS).active_staff()
    return each("digests sent", people, lambda person: _send_to(person, f"{person.pk}:{today}"))


def _send_to(person: User, key: str) -> bool:
    if outbox.written("staff_digest", key):
        return False
    desk = Application.objects.decidable_by(person).waiting().select_related("tier")
    new = list(_new(desk, since=outbox.last_written("staff_digest", person)))
    asked = Consultation.objects.filter(
        colleague=person, answered_at=None, application__status__in=WAITING_STATES
    ).count()
    if not new and not asked:
        return False
    return messages.staff_digest(
        person, key, new=new, waiting=desk.count(), overdue=desk.overdue().count(), asked=asked
    )


def _new(desk: ApplicationQuerySet, since: datetime | None) -> ApplicationQuerySet:
    """Sent, or sent again, since the last digest: all that waits if there was none."""
    if since is None:
        return desk
    since -= OVERLAP
    sent_again = ApplicationSnapshot.objects.filter(
        application=OuterRef("pk"), created_at__gt=since
    )
    return desk.filter(Q(submitted_at__gt=since) | Exists(sent_again))
