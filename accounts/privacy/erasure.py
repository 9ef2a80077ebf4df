"""Erasure of an account: access ends, personal data is deleted, and the random id remains.

The audit trail stays unchanged, because it refers to people only by `public_id`. Grants,
decisions and dates remain under that id. If the person held weights, the licence requires
name and address to be stored separately for six years (docs/privacy.md).
"""

import uuid
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.applications import inactivity
from accounts.applications.models import Application
from accounts.applications.transition_table import EDITABLE_STATES, WAITING_STATES
from accounts.applications.workflow import submission
from accounts.audit import request_context
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.errors import NotAllowed
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.mail import addresses, outbox
from accounts.mail.models import OutgoingMail
from accounts.privacy import redaction, retention
from accounts.privacy.identity import Identity
from accounts.privacy.models import DataExport, HolderRecord
from accounts.privacy.retention import GRANTS_KEPT, REMOVED
from accounts.release_interface import releases
from accounts.users import recent_authentication
from accounts.users.models import User

REASON = "the account was erased"
_EMPTY_MAIL: dict[str, Any] = {
    **{"subject": REMOVED, "text": REMOVED},
    **{"html": "", "secret": "", "last_error": ""},
}


@transaction.atomic
def erase(person: User, *, by: User | None) -> None:
    """Erase an account; do nothing if it is already erased.

    `by` is None for commands. Raises NotAllowed for staff accounts, whose roles must be revoked
    first, and if `by` is neither the person nor an administrator; RecentAuthenticationRequired
    if the sign-in is too old.
    """
    recent_authentication.require()
    person = User.objects.select_for_update(no_key=True).get(pk=person.pk)
    if person.erased_at is not None:
        return
    if person.is_staff or person.is_superuser or person.roles.exists():
        raise NotAllowed("revoke the roles of this account first: staff cannot be erased")
    is_own = by is not None and by.pk == person.pk
    if by is not None and not is_own and not by.has_perm("accounts.erase_user"):
        raise NotAllowed("only the person and administrators can erase an account")
    if is_own:
        request_context.forget_network()
    address, identity = next(iter(person.confirmed_addresses()), ""), Identity.of(person)
    _record_holder(person)
    _lock_records(person)
    releases().forget_person(person)
    # First, so that mails about the following steps name the pseudonym.
    _pseudonymise(person)
    _erase_grant_reasons(person)
    _end_applications(person)
    _end_grants_and_tokens(person)
    for application in person.applications.all():
        retention.erase_texts(application)
    _erase_mails(person, identity)
    _delete_credentials(person)
    AuditEvent.objects.forget_networks_of(person)
    redaction.end_sessions(person, identity)
    redaction.redact_admin_log(person, identity)
    redaction.redact_tables(identity)
    AuditEvent.record(AccountsEvent.ACCOUNT_ERASED, actor=by, target=person)
    # With a random key and no recipient, nothing in the row identifies the account.
    if address:
        outbox.send("account_erased", to=address, key=uuid.uuid4().hex, context={})


def _record_holder(person: User) -> None:
    """Store the name and address of a person who held a grant, for GRANTS_KEPT."""
    grants = Grant.objects.filter(user=person)
    if not grants.exists():
        return
    newest = person.applications.exclude(snapshots=None).order_by("-submitted_at").first()
    answers = newest.submitted_answers if newest else {}
    today = timezone.now().date()
    HolderRecord.objects.create(
        user=person,
        full_name=str(answers.get("full_name") or person.display_name)[:200],
        email=person.email,
        organisation=str(answers.get("org_name", ""))[:200],
        keep_until=today + GRANTS_KEPT,
    )


def _lock_records(person: User) -> None:
    """Wait for running decisions before the account's unique names change.

    A decision locks its application or grant while it inserts rows that refer to the account, which
    a changed name blocks: the opposite order would deadlock.
    """
    for rows in (Application.objects.filter(applicant=person), Grant.objects.filter(user=person)):
        list(rows.select_for_update(no_key=True, of=("self",)).order_by("pk").values_list("pk"))


def _erase_grant_reasons(person: User) -> None:
    """Remove what staff wrote about the person's grants; the reason codes remain."""
    for field in ("reason", "end_reason", "suspension_reason"):
        Grant.objects.filter(user=person).exclude(**{field: ""}).update(**{field: REMOVED})


def _end_applications(person: User) -> None:
    for application in Application.objects.filter(applicant=person):
        if application.status in WAITING_STATES:
            submission.withdraw(application, by=person, reason=REASON)
        elif application.status in EDITABLE_STATES:
            inactivity.lapse(application)


def _end_grants_and_tokens(person: User) -> None:
    now = timezone.now()
    for grant in Grant.objects.unended().filter(user=person):
        if grant.expires_at <= now:
            lifecycle.expire(grant, now)
        elif grant.is_live:
            lifecycle.surrender(grant, by=person)
        else:  # a holder cannot surrender a suspended grant
            lifecycle.revoke(grant, by=None, reason=REASON)
    for token in ApiToken.objects.filter(user=person):
        token.revoke(by=person)
    ApiToken.objects.filter(user=person).update(name=REMOVED, last_used_network="")


def _erase_mails(person: User, identity: Identity) -> None:
    """Delete queued messages to the person; keep only the kind and dates of others.

    Messages to the person's address without an account count too, such as the receipt of a report.
    Sent messages to staff about the person's applications and grants lose their texts. Queued ones
    are still sent, without the person's identifiers.
    """
    to_person = Q(recipient=person)
    for address in identity.verified:
        to_person |= Q(to__iexact=address)
    OutgoingMail.objects.filter(to_person, state=OutgoingMail.State.QUEUED).delete()
    OutgoingMail.objects.filter(to_person).update(to="", **_EMPTY_MAIL)
    about = OutgoingMail.objects.filter(_about(person))
    about.exclude(state=OutgoingMail.State.QUEUED).update(**_EMPTY_MAIL)
    for mail in about.filter(state=OutgoingMail.State.QUEUED):
        mail.subject, mail.text = (
            identity.remove_from(mail.subject),
            identity.remove_from(mail.text),
        )
        mail.save(update_fields=["subject", "text"])


def _about(person: User) -> Q:
    """Return the condition for mails about the account, or the person's applications and grants."""
    condition = Q(object_kind="user", object_id=str(person.public_id))
    for kind, rows in (("application", person.applications), ("grant", person.grants)):
        ids = [str(public_id) for public_id in rows.values_list("public_id", flat=True)]
        condition |= Q(object_kind=kind, object_id__in=ids)
    return condition


def _delete_credentials(person: User) -> None:
    UserSession.objects.filter(user=person).delete()
    Authenticator.objects.filter(user=person).delete()
    SocialAccount.objects.filter(user=person).delete()
    addresses.remove_all(person)
    DataExport.objects.filter(user=person).delete()


def _pseudonymise(person: User) -> None:
    person.username = f"erased-{person.public_id.hex[:12]}"
    person.first_name = person.last_name = person.suspension_reason = ""
    person.is_active = False
    person.last_login = None
    person.erased_at = timezone.now()
    person.set_unusable_password()
    person.save()
