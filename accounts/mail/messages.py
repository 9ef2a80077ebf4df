"""One function per message about an application or a grant; each text is a template."""

from datetime import date, datetime, timedelta
from textwrap import indent
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.applications.models import Application
from accounts.audit.models import AuditEvent, CompromisedAuditKey, SignedHead
from accounts.grants.models import Grant
from accounts.grants.outstanding_links import Receipt
from accounts.mail import outbox
from accounts.mail.outbox import Message
from accounts.release_interface import releases
from accounts.review.models import Consultation, Decision, ReasonText, Remark
from accounts.review.reasons import waiting_days
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import DECIDERS, GRANT_MANAGERS, Role
from accounts.tiers.models import LicenceVersion, Tier
from accounts.users.models import User

#: Checkpoints that an approval names; the rest is counted.
NAMED = 10


def application_received(application: Application) -> None:
    number = application.snapshots.count()
    facts = {"is_again": number > 1, "answer_days": settings.ANSWER_DAYS}
    _about(application, "application_received", f"{application.pk}:{number}", **facts)


def application_withdrawn(application: Application) -> None:
    _about(application, "application_withdrawn", str(application.pk))


# What a decision mails is composed first, so that the reviewer reads it before it goes: the
# preview and the message are made by the same call with the same words.


def compose_approved(application: Application, *, until: datetime, note: str) -> Message:
    names = releases().checkpoints_of(application.tier)
    return _to_applicant(
        application,
        "application_approved",
        until=until,
        note=note,
        checkpoints=names[:NAMED],
        more=len(names[NAMED:]),
    )


def compose_rejected(application: Application, *, reasons: list[str], note: str) -> Message:
    return _to_applicant(application, "application_rejected", note=note, **_reasons(reasons))


def compose_returned(
    application: Application, *, reasons: list[str], remarks: dict[str, str], note: str
) -> Message:
    """`remarks` are texts by the field that they are about; empty ones are left out."""
    labels = application.form.labels()
    said = [
        (labels.get(field, ""), indent(text.strip(), "  "))
        for field, text in remarks.items()
        if text.strip()
    ]
    return _to_applicant(
        application,
        "application_returned",
        remarks=said,
        note=note,
        ends=timezone.now() + timedelta(days=settings.RETURN_SILENCE_DAYS),
        **_reasons(reasons),
    )


def application_approved(application: Application, decision: Decision) -> None:
    if decision.until is None:
        raise ValueError(f"the approval of {application.reference} names no end")
    message = compose_approved(application, until=decision.until, note=decision.note)
    outbox.post(message, key=str(application.pk), about=application)


def application_rejected(application: Application, decision: Decision) -> None:
    message = compose_rejected(application, reasons=decision.reasons, note=decision.note)
    outbox.post(message, key=f"{application.pk}:{decision.pk}", about=application)


def application_returned(
    application: Application, decision: Decision, remarks: dict[str, str]
) -> None:
    message = compose_returned(
        application, reasons=decision.reasons, remarks=remarks, note=decision.note
    )
    outbox.post(message, key=f"{application.pk}:{decision.pk}", about=application)


def application_lapsed(application: Application, *, was_draft: bool) -> None:
    _about(application, "application_lapsed", str(application.pk), was_draft=was_draft)


def return_reminder(application: Application, day: int) -> bool:
    """Remind an applicant of what was returned, on this day of silence; whether now written."""
    ends = application.last_heard_at + timedelta(days=settings.RETURN_SILENCE_DAYS)
    key = f"{application.pk}:{application.last_heard_at.isoformat()}:{day}"
    return _about(application, "return_reminder", key, ends=ends)


def draft_warning(draft: Application, ends: datetime) -> bool:
    """Tell its owner that a draft will be erased at `ends`; whether it was written now."""
    return _about(draft, "draft_warning", _draft_key(draft), ends=ends)


def draft_warned_at(draft: Application) -> datetime | None:
    """When its owner was warned, since they last saved it."""
    return outbox.written("draft_warning", _draft_key(draft))


def _draft_key(draft: Application) -> str:
    return f"{draft.pk}:{draft.saved_at.isoformat()}"


def remark_made(application: Application, remark: Remark) -> None:
    """Tell the applicant what a reviewer said outside a decision."""
    label = application.form.labels().get(remark.field, "")
    _about(application, "remark_made", str(remark.pk), remark=remark, label=label)


def application_reopened(application: Application, ended: Grant | None) -> None:
    """Tell the applicant that staff look again; `ended` is the access that this took."""
    _about(application, "application_reopened", str(application.pk), grant=ended)


def account_erased(person: User, address: str) -> None:
    """The last word, to the address that was erased; it is not kept beside the person."""
    outbox.send("account_erased", to=address, key=str(person.public_id), context={})


def token_leaked(token: ApiToken) -> None:
    """Tell its owner that a token was found in the open and opens nothing any more."""
    outbox.send(
        "token_leaked",
        to=token.user.email,
        key=str(token.public_id),
        recipient=token.user,
        about=token,
        context={"token": token},
    )


def audit_head(head: SignedHead, address: str) -> None:
    """Send the signed head of the trail where it is kept outside this portal."""
    outbox.send("audit_head", to=address, key=f"{head.pk}:{address}", context={"head": head})


def audit_key_compromised(mark: CompromisedAuditKey, vkey: str, address: str) -> None:
    """Tell whoever keeps heads which of them prove nothing any more; anew if more of them do."""
    key = f"{mark.pk}:{mark.since:%y%m%d%H%M%S}:{address}"
    context = {"mark": mark, "vkey": vkey}
    outbox.send("audit_key_compromised", to=address, key=key, context=context)


def trail_altered(fault: str, key: str, address: str) -> None:
    """Tell whoever keeps heads that the daily check of the trail has failed."""
    outbox.send("trail_altered", to=address, key=f"{key}:{address}", context={"fault": fault})


# -- to staff ---------------------------------------------------------------------------


def application_assigned(application: Application, to: User, by: User) -> None:
    key = f"{application.pk}:{to.pk}:{application.claimed_at}"
    _to_staff(application, to, "application_assigned", key, by=by)


def claim_ended(application: Application, claimer: User, claimed_at: datetime | None) -> None:
    """Tell a reviewer that what they left idle is back in the queue."""
    key = f"{application.pk}:{claimer.pk}:{claimed_at}"
    _to_staff(application, claimer, "claim_ended", key)


def colleague_asked(application: Application, asked: Consultation) -> None:
    _to_staff(application, asked.colleague, "colleague_asked", str(asked.pk), asked=asked)


def colleague_answered(application: Application, asked: Consultation) -> None:
    _to_staff(application, asked.asked_by, "colleague_answered", str(asked.pk), asked=asked)


def claimer_reminded(application: Application, by: User, day: date) -> bool:
    """Ask the claimer to go on; once a day each, else False."""
    claimer = application.claimed_by
    if claimer is None:
        return False
    message = _for_staff(application, claimer, "claimer_reminded", by=by)
    key = f"{application.pk}:{claimer.pk}:{day}"
    return outbox.post(message, key=key, about=application) is not None


def colleague_reminded(asked: Consultation) -> bool:
    """Remind a colleague of a question; whether it was written now."""
    return _to_staff(
        asked.application, asked.colleague, "colleague_reminded", str(asked.pk), asked=asked
    )


def application_overdue(application: Application) -> bool:
    """Tell the lead reviewers of the tier, once each; whether anybody was told now."""
    leads = [one for one in reviewers_of(application.tier) if one.pk != application.applicant_id]
    told = [
        _to_staff(application, lead, "application_overdue", f"{application.pk}:{lead.pk}")
        for lead in leads
    ]
    return any(told)


def staff_digest(person: User, key: str, **numbers: object) -> bool:
    """What is new in a reviewer's tiers, by reference alone; whether it was written now."""
    context = {"queue_path": f"/{settings.ADMIN_PATH}accounts/application/", **numbers}
    mail = outbox.send("staff_digest", to=person.email, key=key, recipient=person, context=context)
    return mail is not None


def compose_second_approval(application: Application, by: User) -> list[Message]:
    """What every other reviewer of the tier is told: one more approval decides."""
    return [
        _for_staff(application, person, "second_approval_wanted", by=by)
        for person in reviewers_of(application.tier, DECIDERS)
        if person.pk not in {by.pk, application.applicant_id}
    ]


def second_approval_wanted(application: Application, first: Decision) -> None:
    for message in compose_second_approval(application, first.reviewer):
        assert message.recipient is not None
        outbox.post(message, key=f"{first.pk}:{message.recipient.pk}", about=application)


def reviewers_of(tier: Tier, roles: frozenset[Role] = GRANT_MANAGERS) -> list[User]:
    """The people who hold one of these roles for the tier, by their account's age."""
    held = RoleAssignment.objects.filter(role__in=roles)
    return list(held.for_tier(tier).active_staff().order_by("pk"))


def _to_staff(
    application: Application, person: User, kind: str, key: str, **context: object
) -> bool:
    """Whether the message was written now, and not before."""
    message = _for_staff(application, person, kind, **context)
    return outbox.post(message, key=key, about=application) is not None


def _for_staff(application: Application, person: User, kind: str, **context: object) -> Message:
    context = {
        "application": application,
        "tier": application.tier,
        "review_path": f"/{settings.ADMIN_PATH}accounts/application/{application.pk}/change/",
        **context,
    }
    return outbox.compose(kind, to=person.email, context=context, recipient=person)


# -- about a grant ----------------------------------------------------------------------


def access_given(grant: Grant) -> None:
    """Break-glass: tell the holder what staff gave them."""
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
    """Tell the holder once, at so many days, that the end comes."""
    _to_holder(grant, "access_ending", days=days, key=f"{grant.pk}:{days}")


def access_ended(grant: Grant) -> None:
    _to_holder(grant, "access_ended")


def licence_changed(grant: Grant, version: LicenceVersion) -> bool:
    """Tell a holder that another text is in force, and until when the old acceptance counts."""
    return _licence(grant, "licence_changed", version)


def licence_reminder(grant: Grant, version: LicenceVersion) -> bool:
    """Remind a holder who has not accepted it that the notice ends."""
    return _licence(grant, "licence_reminder", version)


def licence_key(kind: str, version: LicenceVersion) -> str:
    """The unique key of such a mail, but for the grant's number that follows it."""
    return f"{kind}:{version.pk}:"


def _licence(grant: Grant, kind: str, version: LicenceVersion) -> bool:
    key = licence_key(kind, version).removeprefix(f"{kind}:") + str(grant.pk)
    context: dict[str, Any] = {
        "version": version,
        "before": grant.licence_version,
        "ends": version.notice_ends_since(grant.tier.licence_since),
        "is_another": grant.licence_version.licence_id != version.licence_id,
    }
    return _to_holder(grant, kind, key=key, **context)


def _to_leads(grant: Grant, what: str, event: AuditEvent, receipt: Receipt) -> None:
    """Tell the tier's lead reviewers that access was closed, and what still works until when."""
    for lead in reviewers_of(grant.tier):
        outbox.send(
            "grant_closed",
            to=lead.email,
            key=f"{event.pk}:{lead.pk}",
            recipient=lead,
            about=grant,
            context={
                "grant": grant,
                "tier": grant.tier,
                "what": what,
                "by": event.actor_name,
                "receipt": receipt,
                "admin_path": f"/{settings.ADMIN_PATH}accounts/grant/{grant.pk}/change/",
            },
        )


def _reasons(codes: list[str]) -> dict[str, object]:
    words = ReasonText.objects.current()
    days = waiting_days(codes)
    again = timezone.now() + timedelta(days=days)
    return {"reasons": [words[code] for code in codes], "waiting_days": days, "again": again}


def _about(application: Application, kind: str, key: str, **context: object) -> bool:
    """Whether the message was written now, and not before."""
    message = _to_applicant(application, kind, **context)
    return outbox.post(message, key=key, about=application) is not None


def _last_sent(application: Application) -> dict[str, Any]:
    snapshot = application.latest_snapshot
    return snapshot.answers if snapshot else {}


def _to_applicant(application: Application, kind: str, **context: object) -> Message:
    """To the address and by the name last given in the application, else the account's."""
    applicant, said = application.applicant, _last_sent(application)
    called = said.get("full_name") or applicant.display_name
    context = {"application": application, "tier": application.tier, "called": called, **context}
    to = said.get("work_email") or applicant.email
    return outbox.compose(kind, to=to, recipient=applicant, context=context)


def _to_holder(
    grant: Grant,
    kind: str,
    event: AuditEvent | None = None,
    *,
    key: str = "",
    **context: object,
) -> bool:
    """Once for a grant, or for each event or key of its own; whether it was new."""
    said = _last_sent(grant.application) if grant.application else {}
    called = said.get("full_name") or grant.user.display_name
    sent = outbox.send(
        kind,
        to=grant.user.email,
        key=key or (f"{grant.pk}:{event.pk}" if event else str(grant.pk)),
        recipient=grant.user,
        about=grant,
        context={"grant": grant, "tier": grant.tier, "called": called, **context},
    )
    return sent is not None
