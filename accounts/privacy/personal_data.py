"""All data of the accounts app about one person, by the names of the model fields.

Excludes names of staff, internal notes and secrets.
"""

from collections.abc import Iterable
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession

from accounts.api_tokens.models import ApiToken
from accounts.applications.documents.models import Attachment
from accounts.applications.models import Application
from accounts.audit import queries
from accounts.audit.models import AuditEvent
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.users.models import User


def records(person: User) -> dict[str, Any]:
    """Return section -> its record or list of records; times are aware datetimes."""
    return {
        "account": _fields(
            person,
            *("public_id", "username", "email", "first_name", "last_name"),
            *("date_joined", "last_login", "suspended_at", "suspension_reason"),
        ),
        "addresses": _rows(EmailAddress.objects.filter(user=person), "email", "verified"),
        "second_factors": _rows(
            Authenticator.objects.filter(user=person), "type", "created_at", "last_used_at"
        ),
        "linked_accounts": _rows(
            SocialAccount.objects.filter(user=person),
            *("provider", "uid", "date_joined", "last_login", "extra_data"),
        ),
        "sessions": _rows(
            UserSession.objects.filter(user=person),
            "created_at",
            "last_seen_at",
            "ip",
            "user_agent",
        ),
        "applications": [_application(row) for row in person.applications.order_by("pk")],
        "grants": [_grant(row) for row in Grant.objects.filter(user=person).order_by("pk")],
        "tokens": _rows(
            ApiToken.objects.filter(user=person),
            *("public_id", "name", "last_four", "scopes", "repositories", "created_at"),
            *("expires_at", "revoked_at", "last_used_at", "last_used_network"),
        ),
        "change_requests": _rows(
            person.change_requests.order_by("pk"),
            *("public_id", "act", "state", "reason", "created_at", "decided_at"),
        ),
        "mails": _rows(
            OutgoingMail.objects.filter(recipient=person).order_by("pk"),
            *("kind", "to", "subject", "text", "state", "created_at", "sent_at"),
        ),
        "events": [_event(row, person) for row in queries.events_concerning(person).order_by("pk")],
    }


def attachments(person: User) -> Iterable[Attachment]:
    """Return the documents of the person's applications, with their bytes."""
    documents = Attachment.objects.filter(application__applicant=person)
    return documents.select_related("application", "content")


def _application(application: Application) -> dict[str, Any]:
    fields = ("public_id", "reference", "status", "kind", "answers", "created_at", "saved_at")
    times = ("submitted_at", "returned_at", "answered_at", "decided_at")
    texts = ("withdrawn_because", "appeal_text")
    return {
        "tier": application.tier.slug,
        **_fields(application, *fields, *times, *texts),
        "snapshots": _rows(application.snapshots, "number", "answers", "created_at"),
        "decisions": _rows(
            application.decisions, "verdict", "reasons", "note", "until", "created_at"
        ),
        "remarks": _rows(
            application.remarks.filter(is_public=True),
            *("field", "text", "created_at", "answer", "answered_at"),
        ),
        "documents": _rows(
            application.attachments,
            "public_id",
            "question",
            "name",
            "size",
            "sha256",
            "uploaded_at",
        ),
    }


def _grant(grant: Grant) -> dict[str, Any]:
    times = ("starts_at", "expires_at", "ended_at", "end_reason", "end_code")
    return {
        "tier": grant.tier.slug,
        "licence": {
            "version": grant.licence_version.version,
            "sha256": grant.licence_version.text_sha256,
        },
        **_fields(grant, "public_id", "origin", "state", *times),
    }


def _event(event: AuditEvent, person: User) -> dict[str, Any]:
    """Return an event; those by others are disclosed without actor and details."""
    is_own = event.actor_id == person.public_id
    disclosed = _fields(event, "at", "action", "object_kind", "object_id", "result")
    extra = _fields(event, "credential_kind", "details", "request_id", "network") if is_own else {}
    return {**disclosed, "by": "you" if is_own else "others", **extra}


def _fields(record: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def _rows(records: Any, *names: str) -> list[dict[str, Any]]:
    return [_fields(record, *names) for record in records.all()]
