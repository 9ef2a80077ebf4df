"""Mails about a grant: to its holder and, when access ends early, to the tier's lead reviewers."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.grants.models import Grant
from accounts.grants.outstanding_links import Receipt
from accounts.mail import outbox
from accounts.review.reasons import waiting_days
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import GRANT_MANAGERS
from accounts.tiers.models import LicenceVersion


def access_given(grant: Grant) -> None:
    """Notify the holder of break-glass access."""
    _to_holder(grant, "access_given")


def access_suspended(grant: Grant, event: AuditEvent, receipt: Receipt) -> None:
    _to_holder(grant, "access_suspended", event)
    _to_leads(grant, "suspended", event, receipt)


def access_resumed(grant: Grant, event: AuditEvent) -> None:
    _to_holder(grant, "access_resumed", event)


def access_revoked(grant: Grant, event: AuditEvent, receipt: Receipt) -> None:
    days = waiting_days([grant.end_code])
    again = (grant.ended_at or timezone.now()) + timedelta(days=days)
    _to_holder(grant, "access_revoked", event, waiting_days=days, again=again)
    _to_leads(grant, "revoked", event, receipt)


def access_surrendered(grant: Grant, event: AuditEvent, receipt: Receipt) -> None:
    _to_holder(grant, "access_surrendered", event, receipt=receipt)
    _to_leads(grant, "given back", event, receipt)


def access_ending(grant: Grant, days: int) -> None:
    """Remind the holder that the grant ends, once for each number of days."""
    _to_holder(grant, "access_ending", days=days, key=f"{grant.pk}:{days}")


def access_ended(grant: Grant) -> None:
    _to_holder(grant, "access_ended")


def licence_key(kind: str, version: LicenceVersion) -> str:
    """Return the prefix of a licence notice's unique key; the grant's primary key follows."""
    return f"{kind}:{version.pk}:"


def licence_notice(grant: Grant, kind: str, version: LicenceVersion) -> bool:
    """Notify a holder when their acceptance of the old text ends. Returns True if it is new.

    `kind` is `licence_changed` for the announcement, `licence_reminder` for the reminder.
    """
    return _to_holder(
        grant,
        kind,
        key=f"{version.pk}:{grant.pk}",
        version=version,
        before=grant.licence_version,
        ends=version.notice_ends_since(grant.tier.licence_since),
        is_another=grant.licence_version.licence_id != version.licence_id,
    )


def _to_holder(
    grant: Grant,
    kind: str,
    event: AuditEvent | None = None,
    *,
    key: str = "",
    **context: object,
) -> bool:
    """Queue a mail once for each key, event or grant. Returns True if it is new."""
    answers = grant.application.submitted_answers if grant.application else {}
    called = answers.get("full_name") or grant.user.display_name
    mail = outbox.send(
        kind,
        key=key or (f"{grant.pk}:{event.pk}" if event else str(grant.pk)),
        recipient=grant.user,
        about=grant,
        context={"grant": grant, "tier": grant.tier, "called": called, **context},
    )
    return mail is not None


def _to_leads(grant: Grant, action: str, event: AuditEvent, receipt: Receipt) -> None:
    """Mail the tier's lead reviewers that access ended, and until when which links still work."""
    for lead in RoleAssignment.objects.people(grant.tier, GRANT_MANAGERS):
        outbox.send(
            "grant_closed",
            key=f"{event.pk}:{lead.pk}",
            recipient=lead,
            about=grant,
            context={
                "grant": grant,
                "tier": grant.tier,
                "what": action,
                "by": event.actor_name,
                "receipt": receipt,
                "admin_path": f"/{settings.ADMIN_PATH}accounts/grant/{grant.pk}/change/",
            },
        )
