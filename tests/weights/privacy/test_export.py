"""A person gets all data stored about them, and nothing about anybody else."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.applications.documents.models import Attachment, AttachmentContent
from accounts.applications.workflow import conversation, decisions, submission
from accounts.audit.models import AuditEvent
from accounts.privacy.models import DataExport
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.ledger.models import Download
from weights.privacy import export
from weights.tasks import make_export

pytestmark = pytest.mark.django_db


def _read(content: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        data = json.loads(packed.read("data.json"))
        documents = {
            name: packed.read(name) for name in packed.namelist() if name.startswith("documents/")
        }
    return data, documents


@pytest.mark.requirement("PR-3")
def test_the_archive_contains_all_stored_data_but_no_secret_and_no_name_of_staff(
    applicant: User, gated_tier: Tier, store: Path
) -> None:
    reviewer = factories.staff("quillon", Role.REVIEWER)
    application = factories.returned(applicant, gated_tier, reviewer)
    conversation.remark(application, "Between us: doubtful.", by=reviewer)
    sha = factories.in_force(gated_tier).text_sha256
    submission.submit(application, by=applicant, licence_sha256=sha)
    decisions.approve(
        application, by=reviewer, internal_note="Between us: fine.", note="Welcome.", confirmed=True
    )
    document = Attachment.objects.create(
        application=application,
        question="q",
        name="a.pdf",
        size=4,
        sha256="0" * 64,
        uploaded_by=applicant,
    )
    AttachmentContent.objects.create(attachment=document, data=b"%PDF")
    plain = factories.token(applicant, "read-gated")
    Download.objects.create(
        user_id=applicant.pk, credential_kind="token", repo_id="acme/mine", outcome="served"
    )
    Download.objects.create(user_id=reviewer.pk, credential_kind="token", repo_id="acme/theirs")
    factories.submitted(factories.person("somebody"), gated_tier)
    content = export.build_archive(applicant)
    data, documents = _read(content)
    assert data["account"]["username"] == "applicant"
    assert data["addresses"] == [{"email": "applicant@example.org", "verified": True}]
    (told,) = data["applications"]
    assert told["reference"] == application.reference
    assert told["answers"]["title"] == factories.ANSWERS["title"]
    assert [one["number"] for one in told["snapshots"]] == [1, 2]
    assert [one["verdict"] for one in told["decisions"]] == ["return", "approve"]
    assert [one["text"] for one in told["remarks"]] == ["Name the method."]
    assert [one["state"] for one in data["grants"]] == ["active"]
    assert data["grants"][0]["licence"]["sha256"] == sha
    assert data["tokens"][0]["last_four"] == plain[-4:]
    assert [one["repo_id"] for one in data["downloads"]] == ["acme/mine"]
    assert {one["kind"] for one in data["mails"]} >= {"application_approved"}
    assert {one["action"] for one in data["events"]} >= {"application.submit", "grant.given"}
    assert list(documents.values()) == [b"%PDF"]
    text = json.dumps(data)
    for hidden in (plain, "Between us", reviewer.username, str(reviewer.public_id), "somebody"):
        assert hidden not in text


def test_an_archive_is_requested_made_once_fetched_only_by_its_owner_and_audited(
    applicant: User, other_person: User, client: Client
) -> None:
    client.force_login(applicant)
    assert client.post("/access/data/").status_code == 302
    assert client.post("/access/data/").status_code == 302
    waiting = DataExport.objects.get()
    assert "Being created" in client.get("/access/data/").text
    make_export(waiting.pk)
    make_export(waiting.pk)
    address = f"/access/data/{waiting.public_id}/"
    assert address in client.get("/access/data/").text
    fetched = client.get(address)
    assert fetched["Content-Type"] == "application/zip"
    assert _read(fetched.content)[0]["account"]["username"] == "applicant"
    client.force_login(other_person)
    assert client.get(address).status_code == 404
    assert address not in client.get("/access/data/").text
    actions = AuditEvent.objects.filter(action__startswith="export.").order_by("pk")
    assert [one.action for one in actions] == ["export.asked", "export.made", "export.fetched"]
