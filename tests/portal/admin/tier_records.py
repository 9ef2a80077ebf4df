"""One record of every model in the admin, all for one tier, with a marker in each text."""

from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.applications.workflow import conversation
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.change_requests import services as change_requests
from accounts.change_requests.models import ChangeRequest
from accounts.mail import outbox
from accounts.privacy.models import HolderRecord
from accounts.review.models import ReasonText
from accounts.roles.permissions import Role
from accounts.tiers import services as tier_services
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier, TierChange
from accounts.users.models import User
from tests.support import factories
from weights.catalogue.models import Family
from weights.delivery.models import CheckpointLink
from weights.inspection.models import Inspection, InspectionOverride
from weights.integrity.models import StoreFinding, StoreSurvey, VerificationRun
from weights.known_issues.models import KnownIssue
from weights.ledger.models import Download
from weights.logbook.models import LogbookEntry, LogbookSeries
from weights.manifests.models import ManifestKey
from weights.publishing.models import Revision
from weights.recalls.models import Recall
from weights.reports.models import Report
from weights.uploads.models import Upload

MARKER = "quokka"
#: Records of the whole portal, which every tier uses: published keys, and the reason catalogue.
SHARED = {ManifestKey, ReasonText}
#: Append-only tables; their rows are made with the marker.
_PROTECTED = (AuditEvent, Download)


def make_all() -> dict[type[models.Model], models.Model]:
    """Every model that has an admin page -> its record of the tier `quokka`."""
    tier = factories.tier(f"{MARKER}-tier", AccessMode.REVIEWED)
    rows = [*_people_and_access(tier), *_weights(tier), *_of_the_portal()]
    records = {type(row): row for row in rows}
    for row in records.values():
        _plant(row)
        _log(row)
    return records


def _people_and_access(tier: Tier) -> list[models.Model]:
    holder = factories.person(f"{MARKER}-holder", first_name=MARKER)
    reviewer = factories.staff(f"{MARKER}-reviewer", Role.REVIEWER, tier)
    applicant = factories.person(f"{MARKER}-applicant")
    application = factories.submitted(applicant, tier)
    conversation.remark(application, f"A {MARKER}.", by=reviewer)
    grant = factories.grant(holder, tier)
    factories.token(holder, repositories=[f"{MARKER}/private"])
    erased = factories.person(f"{MARKER}-erased")
    factories.grant(erased, tier)
    record = HolderRecord.objects.create(
        user=erased, full_name=MARKER, email=f"{MARKER}@example.org", keep_until="2030-01-01"
    )
    message = outbox.Message("test", holder.email, f"For {MARKER}", "Text", holder)
    outbox.enqueue(message, key="marked", about=grant)
    session = UserSession.objects.create(
        user=holder, ip="192.0.2.1", session_key="s", user_agent=MARKER
    )
    return [
        *(application, grant, tier, tier.licence, factories.in_force(tier), holder, record),
        reviewer.roles.get(),
        ApiToken.objects.get(user=holder),
        TierChange.objects.create(tier=tier, kind="changed", by_role="staff", by=reviewer),
        holder.mails.latest("pk"),
        AuditEvent.record(
            AccountsEvent.ACCOUNT_CHANGED, actor=holder, target=grant, details={"is": MARKER}
        ),
        session,
        _change_request(tier, by=reviewer),
    ]


def _change_request(tier: Tier, by: User) -> ChangeRequest:
    """A waiting request to open the tier's gate."""
    lowered = {"mode": [tier.mode, AccessMode.OPEN]}
    return change_requests.open_request(
        tier_services.LOWER, tier, lowered, tiers=[tier], by=by, reason=f"For {MARKER}."
    )


def _weights(tier: Tier) -> list[models.Model]:
    family = Family.objects.create(slug=f"{MARKER}-family", name=MARKER)
    files = {"config.json": b'{"of": "quokka"}'}
    revision = factories.published(f"{MARKER}/private", tier, files, private=True, family=family)
    file = revision.files.get()
    inspection = Inspection.objects.create(
        blob=file.blob, family="other", outcome="not_inspected", kind="bytes", version=1
    )
    grant = tier.grants.first() if hasattr(tier, "grants") else None
    holder = User.objects.get(username=f"{MARKER}-holder")
    checkpoint = revision.checkpoint
    report = Report.objects.create(kind="leak", text=MARKER, checkpoint=checkpoint)
    return [
        *(family, revision, checkpoint, file, file.blob, inspection, report),
        VerificationRun.objects.create(blob=file.blob),
        Upload.objects.create(
            person=holder, checkpoint=checkpoint, sha256="0" * 64, size=5_000_000, reason=MARKER
        ),
        Recall.objects.create(blob=file.blob, cause="owner", reason=MARKER),
        InspectionOverride.objects.create(
            inspection=inspection, refusal="", asked_why=MARKER, asked_by=holder
        ),
        KnownIssue.objects.create(
            checkpoint=checkpoint, kind="issue", title=MARKER, text=MARKER, by=holder
        ),
        CheckpointLink.objects.create(
            holder=holder, grant=grant, checkpoint=checkpoint, cause="request"
        ),
        LogbookEntry.objects.create(
            checkpoint=checkpoint, date="2026-01-05", cause="data", title=MARKER
        ),
        LogbookSeries.objects.create(
            checkpoint=checkpoint, axis="step", title=MARKER, points=[[0, 1], [1, 2]]
        ),
        _download(holder, revision),
    ]


def _download(holder: User, revision: Revision) -> Download:
    return Download.objects.create(
        user_id=holder.pk,
        credential_kind="token",
        repo_id=revision.checkpoint.repo_id,
        checkpoint_id=revision.checkpoint_id,
        path=f"{MARKER}.json",
        outcome="served",
    )


def _of_the_portal() -> list[models.Model]:
    now = timezone.now()
    return [
        StoreSurvey.objects.create(store=f"file:///{MARKER}", started_at=now),
        StoreFinding.objects.create(
            kind="missing",
            key=MARKER,
            size=1,
            first_seen_at=now - timedelta(days=1),
            last_seen_at=now,
        ),
        ManifestKey.objects.create(key_id="0" * 16, fingerprint="0" * 64, public_pem="PEM"),
        ReasonText.objects.create(code="spam", label="Spam", remedy="None"),
    ]


def _plant(row: models.Model) -> None:
    """Put the marker into every free text of the row."""
    if type(row) in SHARED or isinstance(row, _PROTECTED):
        return
    changes = {
        field.name: f"{MARKER} {field.name}"
        for field in row._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField)
        and not isinstance(field, models.EmailField | models.SlugField | models.URLField)
        and not (field.unique or field.choices)
        and not _is_coded(field)
    }
    type(row)._base_manager.filter(pk=row.pk).update(**changes)
    row.refresh_from_db()


def _is_coded(field: models.Field) -> bool:
    """Fields whose values are digests, codes and names that the code compares."""
    names = {"password", "sha256", "sha", "org", "name", "session_key", "version", "kind", "family"}
    limit = getattr(field, "max_length", None)
    return field.name in names or (limit is not None and limit < 100)


def _log(row: models.Model) -> None:
    """An entry of Django's log, which the history page of the record shows."""
    if type(row) in SHARED:
        return
    LogEntry.objects.create(
        user=User.objects.get(username=f"{MARKER}-reviewer"),
        content_type=ContentType.objects.get_for_model(type(row)),
        object_id=str(row.pk),
        object_repr=MARKER,
        change_message=MARKER,
        action_flag=2,
    )


def unmade(records: dict[type[models.Model], models.Model]) -> set[str]:
    """Models with an admin page for which `make_all` has no record yet."""
    return {model._meta.label for model in admin.site._registry if model not in records}
