"""Erasure is final: afterwards no table, file or cache contains the person."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.conf import settings as django_settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.api_tokens.models import ApiToken
from accounts.applications.models import Application
from accounts.applications.models.form import Question
from accounts.applications.workflow import claims, conversation, submission
from accounts.audit.models import AuditEvent
from accounts.background.models import FailedItem
from accounts.encryption import cipher
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.mail import outbox
from accounts.mail.models import OutgoingMail
from accounts.privacy import erasure, retention
from accounts.privacy.models import HolderRecord
from accounts.review.models import Conflict
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.applications.documents.pdfs import pdf
from tests.support import factories
from tests.support.database import dump
from weights import recalls
from weights.delivery.models import CheckpointLink
from weights.ledger.models import Download
from weights.privacy import export
from weights.publishing.models import Revision
from weights.recalls import mailing
from weights.reports import submission as reports
from weights.reports import triage
from weights.reports.models import Report

pytestmark = pytest.mark.django_db

USERNAME, ADDRESS, ORCID = "zenobia-p", "Zenobia.Septimia+hf@desert.example", "0000-0002-1825-0097"
ADDRESSES = (ADDRESS, "second@desert.example")
CALLER = "203.0.113.77"
#: Texts that occur only in what concerns this person.
TRACES = ("zenobia", "septimia", "desert.example", ORCID, "aqueduct", "203.0.113")
ANSWERS = factories.ANSWERS | {
    "full_name": "Zenobia Septimia",
    "org_name": "Academy of the Desert, desert.example",
    "work_email": "work@desert.example",
    "title": "The aqueduct",
    "profile_url": f"https://orcid.org/{ORCID}",
    "abstract": "The aqueduct. " * 20,
}
#: The record that the licence requires (docs/privacy.md).
EXCEPTION = {
    *("accounts_holderrecord.full_name", "accounts_holderrecord.email"),
    "accounts_holderrecord.organisation",
}


def found() -> set[str]:
    """Every `table.column`, Redis key and file that contains a trace of the person."""
    needles = [spelling for trace in TRACES for spelling in dump.spellings(trace)]
    needles += [spelling for address in ADDRESSES for spelling in dump.spellings(address)]
    return {place for place, text in _stored() if any(one in text.lower() for one in needles)}


def _stored() -> Iterator[tuple[str, str]]:
    for place, text in dump.database():
        yield place, text
        if cipher.is_encrypted(text):
            yield from ((place, inner) for inner in dump.readable(cipher.decrypt(text)))
    yield from dump.folder(Path(django_settings.WEIGHTS_STORAGE.removeprefix("file://")))


def deliver_all() -> None:
    """One attempt for every queued mail, as the worker makes it."""
    for mail_id in OutgoingMail.objects.due().values_list("pk", flat=True):
        outbox.deliver(mail_id)


# -- a person who used everything -------------------------------------------------------------


@pytest.fixture
def window() -> Client:
    return Client(REMOTE_ADDR=CALLER)


@pytest.fixture
def person(window: Client, gated_tier: Tier, reviewer: User, store: Path) -> User:
    """Signed up, signed in, applied, approved, downloaded, reported, returned and written about."""
    person = _signs_up(window)
    _adds_factors_and_accounts(person)
    revision = factories.published("acme/gated", gated_tier)
    grant = _applies_and_is_approved(person, window, gated_tier, reviewer)
    _downloads(person, window, grant, revision)
    _has_other_applications(person, reviewer)
    _reports_from_outside(window, gated_tier)
    _is_recalled(person, revision)
    _is_edited_in_the_admin(person, window)
    _is_written_about(person, reviewer)
    _fills_in_a_form_after_the_session_ended(person)
    export.make_export(export.request_export(person).pk)
    _leaves_mails_in_every_state(person)
    return User.objects.get(pk=person.pk)


def _signs_up(window: Client) -> User:
    password = {"password1": factories.PASSWORD, "password2": factories.PASSWORD}
    window.post("/accounts/signup/", {"username": USERNAME, "email": ADDRESS, **password})
    text = OutgoingMail.objects.get(to__iexact=ADDRESS).full_text
    confirm = re.search(r"/accounts/confirm-email/\S+", text)
    assert confirm is not None
    window.post(confirm[0])
    window.post("/accounts/password/reset/", {"email": ADDRESS})
    for name in (USERNAME, ADDRESS):
        Client(REMOTE_ADDR=CALLER).post("/accounts/login/", {"login": name, "password": "wrong"})
    window.post("/accounts/login/", {"login": USERNAME, "password": factories.PASSWORD})
    person = User.objects.get(username=USERNAME)
    User.objects.filter(pk=person.pk).update(first_name="Zenobia", last_name="Septimia")
    EmailAddress.objects.create(user=person, email=ADDRESSES[1], verified=True)
    assert window.get("/access/").status_code == 200
    return User.objects.get(pk=person.pk)


def _adds_factors_and_accounts(person: User) -> None:
    Authenticator.objects.create(
        user=person, type="webauthn", data={"name": "Zenobia's key", "credential": {}}
    )
    orcid = SocialAccount.objects.create(
        user=person, provider="orcid", uid=ORCID, extra_data={"name": "Zenobia Septimia"}
    )
    SocialToken.objects.create(account=orcid, token="septimia")


def _applies_and_is_approved(person: User, window: Client, tier: Tier, reviewer: User) -> Grant:
    Question.objects.create(tier=tier, key="plan", label="Plan", kind="file")
    application = submission.start(person, tier)
    document = SimpleUploadedFile("aqueduct.pdf", pdf(), content_type="application/pdf")
    place = f"/applications/{application.public_id}/documents/extra_plan/"
    assert window.post(place, {"document": document}).status_code == 302
    application.refresh_from_db()
    submission.save_answers(
        application,
        application.answers | ANSWERS,
        by=person,
        expected_version=application.answers_version,
    )
    licence = factories.in_force(tier).text_sha256
    submission.submit(application, by=person, licence_sha256=licence)
    lead = factories.staff("lead", Role.LEAD_REVIEWER)
    claims.assign(application, reviewer, by=lead)
    conversation.remark(application, f"Is {ADDRESS} hers?", by=reviewer)
    question = conversation.ask(application, lead, "Do you know Zenobia?", by=reviewer)
    conversation.answer_question(application, question, "Septimia? Yes.", by=lead)
    Conflict.objects.create(application=application, reviewer=lead, reason="I taught Zenobia.")
    return factories.approved(
        application, reviewer, note="Mind the aqueduct.", internal_note=f"{ADDRESS} answered."
    )


def _downloads(person: User, window: Client, grant: Grant, revision: Revision) -> None:
    token = factories.token(person, "read-gated")
    ApiToken.objects.filter(user=person).update(name="Zenobia's laptop")
    fetched = window.get(
        "/acme/gated/resolve/main/model.safetensors",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert b"".join(fetched.streaming_content)  # type: ignore[attr-defined]
    window.get("/acme/gated")
    factories.link_token(person, revision, grant)
    CheckpointLink.objects.filter(holder=person).update(
        plan=[{"url": f"https://store.example/{ADDRESS}"}], state_reason=f"no mail to {ADDRESS}"
    )
    assert Download.objects.filter(user_id=person.pk).exclude(network="").exists()


def _has_other_applications(person: User, reviewer: User) -> None:
    returned = factories.returned(person, factories.tier("second"), reviewer)
    returned.snapshots.update(answers=ANSWERS)
    Application.objects.filter(pk=returned.pk).update(answers=ANSWERS)
    withdrawn = factories.submitted(person, factories.tier("third"), ANSWERS)
    submission.withdraw(withdrawn, by=person, reason="The aqueduct broke.")
    draft = submission.start(person, factories.tier("fourth"))
    submission.save_answers(draft, ANSWERS, by=person, expected_version=0)
    revoked = factories.grant(person, factories.tier("fifth"))
    Grant.objects.filter(pk=revoked.pk).update(reason=f"{ADDRESS} asked by telephone")
    lifecycle.revoke(revoked, by=None, reason=f"Zenobia Septimia ({ADDRESS}) shared the weights.")
    held = factories.grant(person, factories.tier("sixth"))
    lifecycle.suspend(held, by=None, reason=f"{USERNAME} does not answer at {ADDRESS.upper()}.")


def _reports_from_outside(window: Client, tier: Tier) -> None:
    """A report without signing in, with the same address as contact; and one by a stranger."""
    owner = factories.staff("triager", Role.LEAD_REVIEWER, tier)
    text = "I am Zenobia Septimia, and the weights of my model leak. " * 2
    Client(REMOTE_ADDR=CALLER).post(
        "/report/",
        {"kind": "leak", "text": text, "checkpoint": "acme/gated", "contact": ADDRESS.lower()},
    )
    report = Report.objects.get()
    triage.assign(report, owner, by=owner)
    triage.note(report, f"Zenobia wrote again, from {ADDRESS}.", by=owner)
    deliver_all()
    triage.dismiss(report, f"Dear Zenobia, we answer to {ADDRESS}.", by=owner)
    reports.submit("misuse", f"Ask {ADDRESS} about it. " * 3, contact="stranger@example.org")


def _is_recalled(person: User, revision: Revision) -> None:
    recall = recalls.open_by_withdrawal(revision, "Wrong split.", by=None)
    mailing.mail_people(recall.pk)
    assert OutgoingMail.objects.filter(kind="recall_opened", recipient=person).exists()


def _is_edited_in_the_admin(person: User, window: Client) -> None:
    root = factories.person("root", is_superuser=True, is_staff=True)
    admin = Client()
    admin.force_login(root)
    page = reverse("admin:accounts_user_change", args=[person.pk])
    edited = {"username": USERNAME, "email": ADDRESS, "first_name": "Zenobia", "is_active": "on"}
    assert admin.post(page, edited | {"last_name": "Septimia"}).status_code == 302
    role = {"user": person.pk, "role": "auditor"}
    assert admin.post(reverse("admin:accounts_roleassignment_add"), role).status_code == 302
    RoleAssignment.objects.get(user=person).withdraw(by=root)
    records = [*person.grants.all()[:1], *ApiToken.objects.filter(user=person)[:1]]
    for record in records:
        LogEntry.objects.create(
            user=root,
            content_type=ContentType.objects.get_for_model(type(record)),
            object_id=str(record.pk),
            object_repr=str(record),
            change_message=f"Changed for {USERNAME}",
            action_flag=2,
        )
    assert LogEntry.objects.filter(object_repr__contains=USERNAME).count() >= 3
    # The form that an administrator sent before confirming a password.
    session = admin.session
    session["stashed"] = {"post": f"email={ADDRESS}"}
    session.save()


def _is_written_about(person: User, reviewer: User) -> None:
    """In what concerns others."""
    other = factories.submitted(factories.person("other"), factories.tier("seventh"))
    conversation.remark(other, f"The same text as that of Zenobia, {ADDRESS}.", by=reviewer)
    User.objects.filter(username="other").update(
        suspension_reason=f"An account of {ADDRESS.lower()}", suspended_at=timezone.now()
    )
    FailedItem.objects.create(
        step="mails", item=1, last_error=f"550 <{ADDRESS}>", next_attempt_at=timezone.now()
    )


def _fills_in_a_form_after_the_session_ended(person: User) -> None:
    draft = Application.objects.get(applicant=person, status="draft")
    typed = {"full_name": "Zenobia Septimia", "abstract": "The aqueduct."}
    anonymous = Client(REMOTE_ADDR=CALLER)
    anonymous.post(f"/applications/{draft.public_id}/form/you/", typed)
    assert "interrupted" in anonymous.session


def _leaves_mails_in_every_state(person: User) -> None:
    """Sent and failed ones to the person and to staff, and queued ones."""
    deliver_all()
    state = OutgoingMail.State
    own = OutgoingMail.objects.filter(recipient=person)
    own.filter(kind="application_received").update(state=state.SENT, sent_at=timezone.now())
    error = f"550 5.1.1 <{ADDRESS}>: user unknown"
    own.filter(kind="application_approved").update(state=state.FAILED, last_error=error)
    OutgoingMail.objects.filter(kind="application_assigned").update(last_error=error)
    for key in ("fresh", "under way"):
        message = outbox.Message("licence_changed", ADDRESS, "The licence", "Dear Zenobia", person)
        assert outbox.enqueue(message, key=key) is not None


# -- the tests ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.requirement("PR-4", "PR-6")
def test_nothing_of_an_erased_person_is_stored_anywhere(person: User) -> None:
    before = found()
    assert len(before) > 40, f"the fixture left too little to erase: {sorted(before)}"
    assert len(dump.table_names()) > 55
    erasure.erase(person, by=person)
    queued = OutgoingMail.objects.get(kind="account_erased")
    assert found() - EXCEPTION == {"accounts_outgoingmail.to"}, (
        "only the last mail, until it leaves"
    )
    assert (queued.recipient, queued.object_id) == (None, "")
    assert str(person.public_id) not in queued.unique_key
    deliver_all()
    assert found() == EXCEPTION
    assert HolderRecord.objects.get().email == ADDRESS.lower()


@pytest.mark.slow
@pytest.mark.requirement("PR-6")
def test_no_key_of_a_rate_limit_holds_an_address_or_outlives_a_day(person: User) -> None:
    """Limits by network address cannot be tied to the account, and end by themselves."""
    keys = dict(dump.cache_keys())
    assert any(CALLER in key for key in keys), "the fixture reached no limit"
    assert not [key for key in keys if any(trace in key.lower() for trace in TRACES[:5])]
    assert all(0 < lifetime <= 86400 for key, lifetime in keys.items() if CALLER in key)
    erasure.erase(person, by=person)
    texts = [text.lower() for _, text in dump.cache()]
    assert not [text for text in texts if any(trace in text for trace in TRACES[:5])]
    assert not [text for text in texts if CALLER in text and str(person.public_id) in text]


@pytest.mark.slow
@pytest.mark.requirement("PR-6")
def test_a_mail_under_way_does_not_come_back(
    person: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account is erased while the mail server reads the message."""
    settings.MAIL_LEAVES = True
    mail = OutgoingMail.objects.get(unique_key="licence_changed:under way")
    # A real mail server cannot be made to wait for an erasure in the same process and transaction.
    monkeypatch.setattr(outbox, "_send", lambda _: erasure.erase(person, by=person))
    outbox.deliver(mail.pk)
    assert not OutgoingMail.objects.filter(pk=mail.pk).exists()
    assert not OutgoingMail.objects.filter(recipient=person).exclude(to="").exists()


@pytest.mark.requirement("PR-6")
def test_a_mail_that_was_written_beside_the_erasure_is_never_sent(
    applicant: User, settings: Settings
) -> None:
    """Another transaction read the address before the erasure and committed after it."""
    message = outbox.Message("recall_opened", applicant.email, "Recall", "Dear reader", applicant)
    erasure.erase(applicant, by=applicant)
    late = outbox.enqueue(message, key="late")
    assert late is not None
    outbox.deliver(late.pk)
    assert not OutgoingMail.objects.filter(pk=late.pk).exists()


@pytest.mark.slow
def test_staff_are_told_of_ended_access_without_the_name(person: User, lead_grant: Grant) -> None:
    erasure.erase(person, by=person)
    closed = OutgoingMail.objects.filter(kind="grant_closed", object_id=str(lead_grant.public_id))
    assert closed.exists()
    for mail in closed:
        assert mail.state == OutgoingMail.State.QUEUED
        assert "was given back by erased-" in mail.text


@pytest.fixture
def lead_grant(person: User, gated_tier: Tier) -> Grant:
    return Grant.objects.get(user=person, tier=gated_tier)


@pytest.mark.slow
def test_the_sessions_of_others_go_on_without_the_address(person: User) -> None:
    sessions = {one.pk: one.get_decoded() for one in Session.objects.all()}
    own = [pk for pk, data in sessions.items() if data.get("_auth_user_id") == str(person.pk)]
    [admin] = [pk for pk, data in sessions.items() if "stashed" in data]
    assert own
    erasure.erase(person, by=person)
    assert not Session.objects.filter(pk__in=own).exists()
    after = Session.objects.get(pk=admin).get_decoded()
    assert after == sessions[admin] | {"stashed": {"post": "email=[removed]"}}


def test_a_username_strikes_no_word_out_of_the_records_of_others(
    reviewer: User, gated_tier: Tier
) -> None:
    """Anybody can sign up as `leak`, and give any address without confirming it."""
    other = factories.submitted(factories.person("other"), gated_tier)
    conversation.remark(other, "A leak; ask victim@example.org.", by=reviewer)
    leak = factories.person("leak", email="victim@example.org", confirmed=False, first_name="Ask")
    erasure.erase(leak, by=leak)
    assert other.remarks.get().text == "A leak; ask victim@example.org."


@pytest.mark.slow
def test_every_text_of_a_person_is_removed_where_one_identifies_them(
    person: User, reviewer: User
) -> None:
    erasure.erase(person, by=person)
    remark = Application.objects.get(applicant__username="other").remarks.get()
    assert remark.text == "The same text as that of [removed], [removed]."


@pytest.mark.slow
def test_the_trail_takes_no_address_from_a_reason(person: User) -> None:
    """It can never be erased, so the identifiers of the holder are removed as it is written."""
    event = AuditEvent.objects.get(action="grant.revoked")
    assert event.details["reason"] == "[removed] ([removed]) shared the weights."


def test_an_application_that_was_reduced_before_is_reduced_again(
    applicant: User, reviewer: User, gated_tier: Tier
) -> None:
    application = factories.submitted(applicant, gated_tier)
    factories.approved(application, reviewer)
    retention.reduce_application(application)
    application.remarks.create(author=reviewer, text="They moved to Oslo.")
    erasure.erase(applicant, by=applicant)
    assert application.remarks.get().text == "[removed]"


@pytest.mark.slow
def test_networks_of_the_trail_go_with_the_account(person: User, window: Client) -> None:
    """Also those of the request that erases the account, and of the sign-out after it."""
    events = AuditEvent.objects.exclude(network="")
    assert events.filter(actor_id=person.public_id).exists()
    again = window.get("/settings/erase/")["Location"]
    window.post(again, {"password": factories.PASSWORD}, REMOTE_ADDR=CALLER)
    assert window.post("/settings/erase/", {"username": USERNAME})["Location"] == "/"
    person.refresh_from_db()
    assert person.erased_at is not None
    last = AuditEvent.objects.filter(actor_id=person.public_id).order_by("pk").last()
    assert last is not None
    assert last.action == "account.signed_out"
    assert not events.filter(network__startswith="203.0.113").exists()
