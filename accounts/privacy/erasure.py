"""Erasure of an account: access ends, personal data is deleted, and the random id remains.

The audit trail stays unchanged, since it refers to people by `public_id` only. Grants,
decisions and dates remain under that id. If the person held weights, the licence requires
name and address to be stored separately for six years (docs/privacy.md).
"""

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.applications import inactivity
from accounts.applications.models import Application
from accounts.applications.transition_table import EDITABLE_STATES, WAITING_STATES
from accounts.applications.workflow import submission
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.errors import NotAllowed
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.mail import addresses, outbox
from accounts.mail.models import OutgoingMail
from accounts.privacy import retention
from accounts.privacy.models import DataExport, HolderRecord
from accounts.privacy.retention import GRANTS_KEPT, REMOVED
from accounts.release_interface import releases
from accounts.users import recent_authentication
from accounts.users.models import User

REASON = "the account was erased"


@transaction.atomic
def erase(person: User, *, by: User) -> None:
    """Erase an account; does nothing if it is erased already.

    Raises NotAllowed for accounts of staff, whose roles must be revoked first, and if `by` is
    neither the person nor an administrator, RecentAuthenticationRequired after an old sign-in.
    """
    recent_authentication.require()
    person = User.objects.select_for_update(no_key=True).get(pk=person.pk)
    if person.erased_at is not None:
        return
    if person.is_staff or person.is_superuser or person.roles.exists():
        raise NotAllowed("revoke the roles of this account first: staff cannot be erased")
    if by.pk != person.pk and not by.has_perm("accounts.erase_user"):
        raise NotAllowed("only the person and administrators can erase an account")
    address = next(iter(person.confirmed_addresses()), "")
    _record_holder(person)
    _end_applications(person)
    _end_grants_and_tokens(person)
    releases().forget_person(person)
    for application in person.applications.all():
        retention.reduce_application(application)
    _erase_mails(person)
    _delete_credentials(person)
    _pseudonymise(person)
    AuditEvent.record(AccountsEvent.ACCOUNT_ERASED, actor=by, target=person)
    if address:
        outbox.send("account_erased", to=address, key=str(person.public_id), context={})


def _record_holder(person: User) -> None:
    """Store name and address of a person who held a grant, for GRANTS_KEPT."""
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


def _erase_mails(person: User) -> None:
    """Delete queued messages; keep only kind and dates of the others."""
    mails = OutgoingMail.objects.filter(recipient=person)
    mails.filter(state=OutgoingMail.State.QUEUED).delete()
    mails.update(to="", subject=REMOVED, text=REMOVED, html="", secret="")


def _delete_credentials(person: User) -> None:
    sessions = UserSession.objects.filter(user=person)
    Session.objects.filter(session_key__in=sessions.values("session_key")).delete()
    sessions.delete()
    Authenticator.objects.filter(user=person).delete()
    SocialAccount.objects.filter(user=person).delete()
    addresses.remove_all(person)
    DataExport.objects.filter(user=person).delete()


def _pseudonymise(person: User) -> None:
    grants = [str(pk) for pk in person.grants.values_list("pk", flat=True)]
    for model, ids in (("user", [str(person.pk)]), ("grant", grants)):
        entries = LogEntry.objects.filter(content_type__model=model, object_id__in=ids)
        entries.update(object_repr=REMOVED)
    person.username = f"erased-{person.public_id.hex[:12]}"
    person.first_name = person.last_name = person.suspension_reason = ""
    person.is_active = False
    person.last_login = None
    person.erased_at = timezone.now()
    person.set_unusable_password()
    person.save()
