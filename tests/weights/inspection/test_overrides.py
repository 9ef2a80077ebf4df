"""Two members of staff override a refusal, each with a reason."""

from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.change_requests import services as change_requests
from accounts.change_requests.models import ChangeRequest
from accounts.errors import InvalidValue, NotAllowed, TransitionRefused
from accounts.roles.permissions import Role
from accounts.users.models import User
from tests.support import factories
from tests.weights.inspection import pickle_corpus
from weights.inspection import overrides
from weights.inspection.models import Inspection, InspectionOverride
from weights.integrity import verification
from weights.publishing import intake
from weights.publishing.models import Revision
from weights.storage.models import Blob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("open_tier", "store")]

WHY, AGREED = "numpy.dtype only names a type.", "Read the imports; it runs nothing."
PATH = "model.bin"


@pytest.fixture(autouse=True)
def two_people(settings: Settings) -> None:
    settings.SINGLE_OPERATOR = False


@pytest.fixture
def revision(tmp_path: Path) -> Revision:
    """Failed: its one file imports what is not on the list."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / PATH).write_bytes(pickle_corpus.called("numpy.dtype"))
    made = intake.publish(folder, "acme/model", tier="open")
    verification.verify(made.files.get().blob_id)
    made.refresh_from_db()
    assert made.state == Revision.State.FAILED
    return made


@pytest.fixture
def refused(revision: Revision) -> Inspection:
    return Inspection.objects.select_related("blob").get()


@pytest.fixture
def second_owner(db: None) -> User:
    return factories.staff("second", Role.RELEASE_OWNER)


def requested(inspection: Inspection, by: User) -> ChangeRequest:
    request = overrides.ask(inspection, WHY, by=by)
    assert isinstance(request, ChangeRequest)
    return request


@pytest.mark.requirement("IN-8")
def test_in_st_two_release_owners_let_a_refused_file_pass(
    client: Client,
    revision: Revision,
    refused: Inspection,
    release_owner: User,
    second_owner: User,
) -> None:
    asked = requested(refused, release_owner)
    verification.verify(refused.blob_id)
    assert refused.blob.state == Blob.State.QUARANTINED
    change_requests.confirm(asked, by=second_owner, reason=AGREED)
    verification.verify(refused.blob_id)
    revision.refresh_from_db()
    assert revision.state == Revision.State.VISIBLE
    assert client.get(f"/acme/model/resolve/main/{PATH}").status_code == 200
    page = client.get(f"/acme/model/blob/main/{PATH}").content.decode()
    assert "staff reviewed it and allowed it" in " ".join(page.split())
    listed = client.get("/api/models/acme/model/tree/main?expand=true").json()
    assert listed[0]["securityFileStatus"]["status"] == "suspicious"
    files = client.get("/api/v1/checkpoints/acme/model/files").json()["files"]
    assert files[0]["inspection"]["outcome"] == "overridden"
    events = AuditEvent.objects.filter(action__startswith="inspection.")
    recorded = [
        (one.action, one.actor_name, one.details["reason"]) for one in events.order_by("pk")
    ]
    assert recorded == [
        ("inspection.override_asked", "owner", WHY),
        ("inspection.overridden", "second", AGREED),
    ]


@pytest.mark.requirement("IN-8")
def test_in_st_a_single_operator_lets_a_refused_file_pass_alone(
    settings: Settings, revision: Revision, refused: Inspection, release_owner: User
) -> None:
    settings.SINGLE_OPERATOR = True
    override = overrides.ask(refused, WHY, by=release_owner)
    assert isinstance(override, InspectionOverride)
    assert (override.asked_by, override.granted_by) == (release_owner, None)
    verification.verify(refused.blob_id)
    revision.refresh_from_db()
    assert revision.state == Revision.State.VISIBLE
    assert not ChangeRequest.objects.exists()
    event = AuditEvent.objects.get(action__startswith="inspection.")
    assert (event.action, event.actor_name) == ("inspection.overridden", "owner")
    with pytest.raises(TransitionRefused, match="already been requested"):
        overrides.ask(refused, WHY, by=release_owner)


@pytest.mark.requirement("IN-8")
def test_in_st_the_requester_of_an_override_cannot_approve_it(
    refused: Inspection, release_owner: User
) -> None:
    asked = requested(refused, release_owner)
    with pytest.raises(NotAllowed, match="another person"):
        change_requests.confirm(asked, by=release_owner, reason=AGREED)
    override = {"inspection": refused, "refusal": refused.reason, "asked_by": release_owner}
    with transaction.atomic(), pytest.raises(IntegrityError):
        InspectionOverride.objects.create(**override, granted_by=release_owner)


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.LEAD_REVIEWER, Role.ADMINISTRATOR])
def test_other_roles_neither_request_nor_approve(
    refused: Inspection, release_owner: User, role: Role
) -> None:
    member = factories.staff("member", role)
    with pytest.raises(NotAllowed):
        overrides.ask(refused, WHY, by=member)
    asked = requested(refused, release_owner)
    with pytest.raises(NotAllowed):
        change_requests.confirm(asked, by=member, reason=AGREED)


def test_an_override_holds_for_the_very_refusal_alone(
    refused: Inspection, release_owner: User, second_owner: User
) -> None:
    asked = requested(refused, release_owner)
    change_requests.confirm(asked, by=second_owner, reason=AGREED)
    assert not Inspection.objects.refusing().exists()
    Inspection.objects.update(reason="its pickle imports os.system, which is not on the list")
    assert Inspection.objects.refusing().get() == refused
    overrides.ask(refused, WHY, by=release_owner)  # it may be requested again


HIDDEN = pickle_corpus.two(
    pickle_corpus.name("a", "first") + b"0" + pickle_corpus.called("os.system")[2:-1]
)
#: The same import, and one that no reader comes to: it is called by a computed name.
UNSEEN = (
    b"\x80\4" + pickle_corpus.name("numpy", "dtype") + b"0" + pickle_corpus.text("os") + b"N\x93."
)


def published(content: bytes, tmp_path: Path) -> Inspection:
    folder = tmp_path / factories.word()
    folder.mkdir()
    (folder / PATH).write_bytes(content)
    made = intake.publish(folder, f"acme/{folder.name}", tier="open")
    verification.verify(made.files.get().blob_id)
    return Inspection.objects.select_related("blob").get(blob__files__revision=made)


@pytest.mark.requirement("IN-8", "IN-9")
def test_in_st_an_override_needs_the_full_list_of_imports(
    tmp_path: Path, client: Client, release_owner: User
) -> None:
    found = published(HIDDEN, tmp_path)
    assert found.imports == ["a.first", "os.system"]
    overrides.ask(found, WHY, by=release_owner)
    client.force_login(release_owner)
    shown = client.get(f"/admin/weights/inspection/{found.pk}/change/").content.decode()
    assert "os.system" in shown
    assert "not read to its end" not in shown


@pytest.mark.requirement("IN-8", "IN-9")
def test_in_st_a_file_that_was_not_read_to_its_end_is_refused_for_good(
    tmp_path: Path, client: Client, release_owner: User
) -> None:
    found = published(UNSEEN, tmp_path)
    assert "computes a name" in found.reason
    with pytest.raises(TransitionRefused, match="not read to its end"):
        overrides.ask(found, WHY, by=release_owner)
    client.force_login(release_owner)
    shown = client.get(f"/admin/weights/inspection/{found.pk}/change/").content.decode()
    assert "numpy.dtype" in shown
    assert "not read to its end: no override is possible" in shown
    page, chosen = "/admin/weights/inspection/", {"_selected_action": [str(found.pk)]}
    sent = {"action": "ask", **chosen, "confirmed": "1", "why": WHY}
    assert "not read to its end" in client.post(page, sent, follow=True).content.decode()
    assert not InspectionOverride.objects.exists()
    file = found.blob.files.select_related("revision").get()
    page = f"/{file.revision.checkpoint.repo_id}/blob/{file.revision.sha}/{PATH}"
    assert "it was not read to its end, so it may import more" in client.get(page).text


def test_an_override_of_a_file_that_was_not_read_to_its_end_no_longer_holds(
    refused: Inspection, release_owner: User, second_owner: User
) -> None:
    asked = requested(refused, release_owner)
    Inspection.objects.update(read_to_end=False)  # as before this was known
    change_requests.confirm(asked, by=second_owner, reason=AGREED)
    assert asked.state == ChangeRequest.State.SUPERSEDED
    assert "outdated" in asked.outcome
    assert Inspection.objects.refusing().get() == refused
    Inspection.objects.update(read_to_end=True)
    again = requested(refused, release_owner)
    change_requests.confirm(again, by=second_owner, reason=AGREED)
    assert not Inspection.objects.refusing().exists()
    Inspection.objects.update(read_to_end=False)
    assert Inspection.objects.refusing().get() == refused
    assert not Inspection.objects.with_overrides().get().is_overridden


def test_a_declined_override_may_be_requested_again(
    refused: Inspection, release_owner: User, second_owner: User
) -> None:
    asked = requested(refused, release_owner)
    with pytest.raises(TransitionRefused, match="already"):
        overrides.ask(refused, WHY, by=second_owner)
    change_requests.decline(asked, by=second_owner, reason="It could do harm.")
    assert Inspection.objects.refusing().exists()
    again = requested(refused, second_owner)
    with pytest.raises(InvalidValue):
        change_requests.confirm(again, by=release_owner, reason="ok")


def test_a_file_that_was_not_refused_needs_no_override(
    refused: Inspection, release_owner: User
) -> None:
    Inspection.objects.update(outcome=Inspection.Outcome.INSPECTED, reason="")
    with pytest.raises(TransitionRefused, match="no refusal"):
        overrides.ask(refused, WHY, by=release_owner)


@pytest.mark.slow
def test_the_admin_shows_the_imports_and_asks_both_for_a_reason(
    client: Client, refused: Inspection, release_owner: User, second_owner: User
) -> None:
    client.force_login(release_owner)
    shown = client.get(f"/admin/weights/inspection/{refused.pk}/change/").content.decode()
    assert "numpy.dtype" in shown
    assert "acme/model/model.bin" in shown
    page, chosen = "/admin/weights/inspection/", {"_selected_action": [str(refused.pk)]}
    asked = {"action": "ask", **chosen}
    assert "second release owner" in client.post(page, asked).content.decode()
    client.post(page, {**asked, "confirmed": "1", "why": WHY})
    request = ChangeRequest.objects.get()
    confirmed = {"move": "confirm", "confirm-reason": AGREED}
    client.post(request.path, confirmed)
    assert not InspectionOverride.objects.granted().exists()
    client.force_login(second_owner)
    asked_of = client.get(request.path).content.decode()
    assert refused.blob.sha256[:12] in asked_of
    assert "imports numpy.dtype, which is not on the list" in asked_of
    client.post(request.path, {"move": "confirm"})
    assert not InspectionOverride.objects.granted().exists()
    client.post(request.path, confirmed)
    assert InspectionOverride.objects.granted().get().granted_by == second_owner


def test_reviewers_of_its_tier_read_what_a_file_imports_and_others_do_not(
    client: Client, refused: Inspection, reviewer: User
) -> None:
    client.force_login(reviewer)
    page = f"/admin/weights/inspection/{refused.pk}/change/"
    assert "numpy.dtype" in client.get(page).content.decode()
    client.force_login(factories.staff("elsewhere", Role.REVIEWER, factories.tier()))
    assert client.get(page).status_code == 404
