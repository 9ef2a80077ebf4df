"""No crash leaves an approval without a grant, or a grant without approval (invariant 3)."""

import pytest
from django.db import IntegrityError, transaction

from accounts.applications.models import Application
from accounts.applications.workflow import decisions
from accounts.audit.models import AuditEvent
from accounts.errors import AccountsError
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import crashes, factories

pytestmark = [pytest.mark.django_db(transaction=True)]


def _is_whole(application: Application) -> bool:
    """Approved with decision, grant, audit rows and mail; or waiting with none of them."""
    application.refresh_from_db()
    found = [
        application.status == "approved",
        application.decisions.filter(verdict="approve").exists(),
        Grant.objects.filter(application=application).exists(),
        AuditEvent.objects.filter(action="application.approve").exists(),
        AuditEvent.objects.filter(action="grant.given").exists(),
        OutgoingMail.objects.filter(kind="application_approved").exists(),
    ]
    assert len(set(found)) == 1, found
    return found[0]


@pytest.mark.requirement("CE-3", "AU-2")
@pytest.mark.one_database
def test_an_approval_killed_between_any_two_statements_is_whole_or_nothing(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    application = factories.submitted(applicant, gated_tier)

    def approve() -> None:
        decisions.approve(Application.objects.get(pk=application.pk), by=reviewer, confirmed=True)

    kills = 0
    for kills in crashes.each_crash(approve):  # noqa: B007 - the last one counts
        assert not _is_whole(application)
    assert kills > 20
    assert _is_whole(application)
    with pytest.raises(AccountsError):
        approve()
    assert Grant.objects.count() == OutgoingMail.objects.filter(kind="application_approved").count()


@pytest.mark.one_database
def test_a_reopening_killed_anywhere_leaves_neither_two_rights_nor_none(
    applicant: User, gated_tier: Tier, reviewer: User, lead_reviewer: User
) -> None:
    grant = factories.approved(factories.submitted(applicant, gated_tier), reviewer)

    def reopen() -> None:
        decisions.reopen(applicant, gated_tier, by=lead_reviewer)

    for _ in crashes.each_crash(reopen):
        grant.refresh_from_db()
        assert grant.state == "active"
        assert Application.objects.count() == 1
    grant.refresh_from_db()
    assert grant.state == "revoked"
    assert Application.objects.filter(status="submitted").count() == 1


@pytest.mark.parametrize(
    ("origin", "reason"), [("application", ""), ("break-glass", "")], ids=["review", "break-glass"]
)
def test_the_database_takes_no_grant_without_an_approval_or_a_reason(
    origin: str, reason: str, applicant: User, gated_tier: Tier
) -> None:
    grant = factories.grant(applicant, gated_tier)
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.filter(pk=grant.pk).update(origin=origin, reason=reason)


@pytest.mark.requirement("CE-1")
def test_a_rolled_back_approval_mails_nobody_and_queues_nothing(
    applicant: User, gated_tier: Tier, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued: list[str] = []
    # What would be sent is the question; that workers get it is one of tests/journeys.
    monkeypatch.setattr(
        "accounts.background.queueing.queue_now", lambda task, *ids: queued.append(task)
    )
    application = factories.submitted(applicant, gated_tier)
    mails, queued[:] = OutgoingMail.objects.count(), []
    with transaction.atomic():
        decisions.approve(application, by=reviewer, confirmed=True)
        transaction.set_rollback(True)
    assert OutgoingMail.objects.count() == mails
    assert queued == []
    application = Application.objects.get(pk=application.pk)
    decisions.approve(application, by=reviewer, confirmed=True)
    assert OutgoingMail.objects.count() == mails + 1
    assert queued.count("accounts.deliver_mail") == 1
