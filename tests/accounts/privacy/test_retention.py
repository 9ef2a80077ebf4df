"""Data is deleted after its retention period, and other data is kept."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.applications.documents.models import Attachment, AttachmentContent
from accounts.applications.models import Application
from accounts.applications.workflow import conversation, decisions
from accounts.audit.models import AuditEvent
from accounts.background import review_sweep
from accounts.mail.models import OutgoingMail
from accounts.privacy import retention
from accounts.privacy.models import DataExport, HolderRecord
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.ledger import recording
from weights.ledger.models import Download

pytestmark = pytest.mark.django_db

MONDAY = "2027-02-08 10:00Z"
NOTE = "The plan does not say who can read the weights."


def _document(application: Application, by: User) -> Attachment:
    document = Attachment.objects.create(
        application=application, question="q", name="a.pdf", size=1, sha256="0" * 64, uploaded_by=by
    )
    AttachmentContent.objects.create(attachment=document, data=b"x")
    return document


def _rejected(applicant: User, tier: Tier, reviewer: User) -> Application:
    application = factories.submitted(applicant, tier)
    conversation.remark(application, "I know this group.", by=reviewer)
    decisions.reject(
        application, by=reviewer, reasons=["purpose_unclear"], note=NOTE, internal_note="Doubtful."
    )
    return application


@pytest.mark.requirement("PR-2")
def test_rejected_answers_are_reduced_to_reason_dates_tier_and_country_after_a_year(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        application = _rejected(applicant, gated_tier, reviewer)
        OutgoingMail.objects.update(state=OutgoingMail.State.SENT)
        clock.shift(timedelta(days=364, hours=23))
        assert review_sweep.run()["answers reduced"] == 0
        clock.shift(timedelta(hours=1))
        assert review_sweep.run()["answers reduced"] == 1
        assert review_sweep.run()["answers reduced"] == 0
    application.refresh_from_db()
    assert application.answers == {"country": "DE"}
    assert [one.answers for one in application.snapshots.all()] == [{"country": "DE"}]
    decision = application.decisions.get()
    assert (decision.verdict, decision.reasons) == ("reject", ["purpose_unclear"])
    assert {decision.note, decision.internal_note} == {retention.REMOVED}
    assert {one.text for one in application.remarks.all()} == {retention.REMOVED}
    assert application.decided_at is not None
    mails = OutgoingMail.objects.filter(kind="application_rejected")
    assert [mail.text for mail in mails] == [retention.REMOVED]


def test_the_answers_of_approved_applications_stay(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        application = factories.submitted(applicant, gated_tier)
        decisions.approve(application, by=reviewer, confirmed=True)
        clock.shift(timedelta(days=800))
        review_sweep.run()
    application.refresh_from_db()
    assert application.answers["title"] == factories.ANSWERS["title"]


@pytest.mark.requirement("PR-2")
def test_documents_are_deleted_90_days_after_the_decision(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        decided = factories.submitted(applicant, gated_tier)
        waiting = factories.submitted(factories.person(), gated_tier)
        _document(decided, applicant)
        undecided = _document(waiting, applicant)
        decisions.approve(decided, by=reviewer, confirmed=True)
        clock.shift(timedelta(days=89))
        assert review_sweep.run()["documents removed"] == 0
        clock.shift(timedelta(days=1))
        assert review_sweep.run()["documents removed"] == 1
    assert Attachment.objects.get() == undecided
    assert AttachmentContent.objects.count() == 1


@pytest.mark.requirement("PR-2")
def test_networks_are_blanked_after_90_days_and_the_rest_of_the_row_stays(
    applicant: User,
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        event = AuditEvent.objects.create(action="test", network="203.0.113.0/24", details={"a": 1})
        download = Download.objects.create(
            user_id=applicant.pk, credential_kind="token", repo_id="a/b", network="203.0.113.0/24"
        )
        clock.shift(timedelta(days=90))
        assert review_sweep.run()["networks forgotten"] == 0
        assert recording.forget_networks(timezone.now()) == 0
        clock.shift(timedelta(seconds=1))
        assert review_sweep.run()["networks forgotten"] == 1
        assert recording.forget_networks(timezone.now()) == 1
    event.refresh_from_db()
    download.refresh_from_db()
    assert (event.network, event.action, event.details) == ("", "test", {"a": 1})
    assert (download.network, download.repo_id) == ("", "a/b")
    with pytest.raises(TypeError, match="append-only"):
        AuditEvent.objects.update(network="")


def test_exports_go_after_a_week_and_holders_names_on_their_day(applicant: User) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        DataExport.objects.create(user=applicant, state="ready", content=b"x")
        HolderRecord.objects.create(user=applicant, full_name="Ada", keep_until="2027-02-15")
        clock.shift(timedelta(days=7))
        done = review_sweep.run()
        assert (done["exports removed"], done["holders forgotten"]) == (1, 0)
        clock.shift(timedelta(days=1))
        assert review_sweep.run()["holders forgotten"] == 1
