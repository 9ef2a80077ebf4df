"""The daily mail to reviewers about new applications and open questions."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from accounts.applications.models import Application, ApplicationQuerySet, ApplicationSnapshot
from accounts.applications.transition_table import WAITING_STATES
from accounts.background.periodic import each
from accounts.mail import outbox
from accounts.review import messages, working_days
from accounts.review.models import Consultation
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import DECIDERS
from accounts.users.models import User

#: Applications submitted just before the last digest are in the next one too, because repeating one
#: is better than missing one.
OVERLAP = timedelta(minutes=1)


def send(now: datetime) -> int:
    """Send each reviewer one digest per working day, from DIGEST_HOUR (UTC)."""
    today = working_days.utc_date(now)
    if now.hour < settings.DIGEST_HOUR or not working_days.is_working_day(today):
        return 0
    people = RoleAssignment.objects.filter(role__in=DECIDERS).active_staff()
    return each("digests sent", people, lambda person: _send_to(person, f"{person.pk}:{today}"))


def _send_to(person: User, key: str) -> bool:
    if outbox.enqueued_at("staff_digest", key):
        return False
    desk = Application.objects.decidable_by(person).waiting().select_related("tier")
    new = list(_new(desk, since=outbox.last_enqueued_at("staff_digest", person)))
    questions = Consultation.objects.filter(
        colleague=person, answered_at=None, application__status__in=WAITING_STATES
    ).count()
    if not new and not questions:
        return False
    return messages.staff_digest(
        person, key, new=new, waiting=desk.count(), overdue=desk.overdue().count(), asked=questions
    )


def _new(desk: ApplicationQuerySet, since: datetime | None) -> ApplicationQuerySet:
    """Return applications submitted or resubmitted since the last digest; all if there is none."""
    if since is None:
        return desk
    since -= OVERLAP
    resubmitted = ApplicationSnapshot.objects.filter(
        application=OuterRef("pk"), created_at__gt=since
    )
    return desk.filter(Q(submitted_at__gt=since) | Exists(resubmitted))
