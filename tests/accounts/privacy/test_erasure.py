"""Erasure: access ends, personal data is deleted, and the random id remains."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError
from django.test import Client
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.applications.documents.models import Attachment, AttachmentContent
from accounts.applications.models import Application
from accounts.applications.workflow import claims, conversation, submission
from accounts.audit.models import AuditEvent
from accounts.errors import NotAllowed
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.privacy import erasure
from accounts.privacy.models import HolderRecord
from accounts.review.models import Decision
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.delivery.models import CheckpointLink
from weights.ledger.models import Download

pytestmark = pytest.mark.django_db

#: Strings that occur only in this person's data.
TRACES = ("zenobia", "Palmyra", "aqueduct", "203.0.113", "desert.example")
ANSWERS = factories.ANSWERS | {
    "full_name": "Zenobia of Palmyra",
    "org_name": "University of Palmyra",
    "work_email": "zenobia@desert.example",
    "title": "The aqueduct of Palmyra",
    "profile_url": "https://desert.example/zenobia",
    "abstract": "The aqueduct. " * 20,
}


@pytest.fixture
def zenobia(gated_tier: Tier, reviewer: User, store: Path) -> User:
    """A person with rows in every table: an approval, an open application, a draft, a token,
    a link, a download, a document, remarks and mails."""
    person = factories.person("zenobia", email="zenobia@desert.example", first_name="Zenobia")
    approved = factories.submitted(person, gated_tier, ANSWERS)
    conversation.remark(approved, "Palmyra again?", by=reviewer)
    grant = factories.approved(approved, reviewer, note="Mind the aqueduct.")
    returned = factories.returned(person, factories.tier("second"), reviewer)
    Application.objects.filter(pk=returned.pk).update(answers=ANSWERS)
    returned.snapshots.update(answers=ANSWERS)
    withdrawn = factories.submitted(person, factories.tier("third"), ANSWERS)
    submission.withdraw(withdrawn, by=person, reason="The aqueduct broke.")
    draft = submission.start(person, factories.tier("fourth"))
    submission.save_answers(draft, ANSWERS, by=person, expected_version=0)
    document = Attachment.objects.create(
        application=approved,
        question="extra_plan",
        name="aqueduct.pdf",
        size=8,
        sha256="0" * 64,
        uploaded_by=person,
    )
    AttachmentContent.objects.create(attachment=document, data=b"aqueduct")
    factories.token(person, "read-gated")
    ApiToken.objects.update(name="zenobia's laptop", last_used_network="203.0.113.0/24")
    revision = factories.published("acme/gated", gated_tier)
    CheckpointLink.objects.create(
        holder=person,
        grant=grant,
        checkpoint=revision.checkpoint,
        revision=revision,
        cause="request",
        state="issued",
        expires_at=timezone.now() + timedelta(days=7),
        plan=[{"url": "https://desert.example/secret"}],
    )
    Download.objects.create(
        user_id=person.pk,
        credential_kind="token",
        repo_id="acme/gated",
        path="model.safetensors",
        outcome="served",
        network="203.0.113.0/24",
    )
    return person


def _traces() -> Iterator[str]:
    """Every `Model.field` that contains one of TRACES."""
    for model in apps.get_models(include_auto_created=True):
        for row in model._default_manager.values():
            for name, value in row.items():
                text = bytes(value).decode("utf-8", "replace") if _is_bytes(value) else str(value)
                if any(trace.lower() in text.lower() for trace in TRACES):
                    yield f"{model.__name__}.{name}"


def _is_bytes(value: object) -> bool:
    return isinstance(value, bytes | memoryview)


@pytest.mark.slow
@pytest.mark.requirement("PR-4")
def test_no_table_holds_a_trace_of_an_erased_person(zenobia: User) -> None:
    assert len(set(_traces())) > 10, "the fixture has no data to erase"
    erasure.erase(zenobia, by=zenobia)
    remaining = set(_traces())
    # The record that the licence requires, and the mail that confirms the erasure.
    assert remaining == {
        "HolderRecord.full_name",
        "HolderRecord.email",
        "HolderRecord.organisation",
        "OutgoingMail.to",
    }
    assert OutgoingMail.objects.exclude(to="").filter(to__contains="desert").count() == 1


@pytest.mark.requirement("PR-4", "PR-5")
def test_access_ends_and_history_remains_under_a_random_id(zenobia: User, gated_tier: Tier) -> None:
    events = AuditEvent.objects.count()
    before = list(AuditEvent.objects.order_by("pk").values_list("pk", "actor_id", "details"))
    decisions = list(Decision.objects.values_list("verdict", "reasons", "until"))
    erasure.erase(zenobia, by=zenobia)
    zenobia.refresh_from_db()
    assert not zenobia.is_active
    assert not Grant.objects.unended().exists()
    assert Grant.objects.get().state == "surrendered"
    assert not ApiToken.objects.active().exists()
    assert not CheckpointLink.objects.live().exists()
    statuses = set(Application.objects.values_list("status", flat=True))
    assert statuses == {"approved", "lapsed", "withdrawn"}
    assert {one.answers.get("country") for one in Application.objects.exclude(answers={})} == {"DE"}
    assert list(Decision.objects.values_list("verdict", "reasons", "until")) == decisions
    after = AuditEvent.objects.order_by("pk").values_list("pk", "actor_id", "details")
    assert list(after)[:events] == before, "the trail itself is untouched"
    erased = AuditEvent.objects.get(action="account.erased")
    assert (erased.actor_id, erased.actor_name) == (zenobia.public_id, zenobia.username)
    assert zenobia.username.startswith("erased-")


def test_a_person_who_never_held_access_leaves_no_name(gated_tier: Tier, store: Path) -> None:
    person = factories.person("zenobia", email="zenobia@desert.example")
    factories.submitted(person, gated_tier, ANSWERS)
    erasure.erase(person, by=person)
    assert not HolderRecord.objects.exists()
    assert set(_traces()) == {"OutgoingMail.to"}


def test_a_command_repeats_the_erasures_that_a_restored_backup_lost(
    applicant: User, other_person: User, reviewer: User, manage: Callable[..., str]
) -> None:
    erasure.erase(other_person, by=other_person)
    assert manage("erase_account", "--list").split() == [str(other_person.public_id)]
    unknown = "00000000-0000-4000-8000-000000000000"
    ids = [str(applicant.public_id), str(other_person.public_id), unknown]
    for _ in range(2):
        assert manage("erase_account", *ids).split("\n")[0] == f"{applicant.public_id} erased"
    applicant.refresh_from_db()
    assert applicant.email == ""
    events = AuditEvent.objects.filter(action="account.erased")
    assert events.count() == 2
    for arguments, error in (
        ((), "give the ids"),
        (("--list", unknown), "give the ids"),
        (("ada",), "no id of an account: it is the Public id on the account's page"),
        ((str(reviewer.public_id),), "revoke the roles"),
    ):
        with pytest.raises(CommandError, match=error):
            manage("erase_account", *arguments)


def test_staff_cannot_be_erased_before_their_roles_are_revoked(reviewer: User) -> None:
    with pytest.raises(NotAllowed, match="revoke the roles"):
        erasure.erase(reviewer, by=reviewer)


def test_only_the_person_and_administrators_erase(
    applicant: User, other_person: User, reviewer: User, administrator: User
) -> None:
    for by in (other_person, reviewer):
        with pytest.raises(NotAllowed, match="only the person"):
            erasure.erase(applicant, by=by)
    erasure.erase(applicant, by=administrator)
    erasure.erase(applicant, by=administrator)
    assert AuditEvent.objects.filter(action="account.erased").count() == 1


def test_a_person_erases_their_account_after_showing_their_password_again(
    applicant: User, client: Client
) -> None:
    client.force_login(applicant)
    response = client.get("/settings/erase/")
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/reauthenticate/")
    client.post(response["Location"], {"password": factories.PASSWORD})
    assert "What we keep, and why" in client.get("/settings/erase/").text
    wrong = client.post("/settings/erase/", {"username": "somebody"})
    assert wrong.status_code == 422
    assert client.post("/settings/erase/", {"username": "applicant"}).status_code == 302
    applicant.refresh_from_db()
    assert applicant.erased_at is not None
    assert client.get("/access/").status_code == 302
    assert "/privacy/" in OutgoingMail.objects.get(kind="account_erased").text
    assert "Erased" not in client.get("/privacy/").text


def test_an_administrator_must_confirm_before_people_are_erased(
    applicant: User, administrator: User, client: Client, auditor: User
) -> None:
    chosen = {"action": "erase", "_selected_action": [applicant.pk]}
    client.force_login(auditor)
    client.post("/admin/accounts/user/", chosen | {"confirmed": "1"})
    applicant.refresh_from_db()
    assert applicant.erased_at is None
    client.force_login(administrator)
    assert "cannot be undone" in client.post("/admin/accounts/user/", chosen).text
    applicant.refresh_from_db()
    assert applicant.erased_at is None
    client.post("/admin/accounts/user/", chosen | {"confirmed": "1"})
    applicant.refresh_from_db()
    assert applicant.erased_at is not None


def test_the_trail_shows_names_that_it_does_not_store(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    application = factories.submitted(applicant, gated_tier)
    claims.claim(application, by=reviewer)
    claimed = AuditEvent.objects.get(action="application.claim")
    assert claimed.actor_name == "reviewer"
    assert "actor_name" not in {field.name for field in AuditEvent._meta.get_fields()}
    lead = factories.staff("lead", Role.LEAD_REVIEWER)
    claims.assign(application, lead, by=lead)
    assigned = AuditEvent.objects.get(action="application.assign")
    assert assigned.details == {"to": str(lead.public_id)}
