"""Publishing, discarding and withdrawing on the owner's pages, each after confirmation."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.change_requests.models import ChangeRequest
from accounts.errors import NotAllowed, TransitionRefused
from accounts.templatetags.wording import day
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.owner_pages.conftest import BASE
from tests.weights.publishing.drafts.making import CARD, WEIGHTS, committed, uploaded, verify_all
from weights.catalogue.models import Checkpoint
from weights.publishing.drafts import checkpoints, notes, publication
from weights.publishing.drafts.commits import AddFile
from weights.publishing.models import Revision
from weights.recalls.models import Recall

pytestmark = pytest.mark.django_db
DRAFT_MARK = '<span class="tag">draft</span>'
WHY = "It holds the answers of a test set."


def _publish(revision: Revision) -> str:
    return f"{BASE}publish/{revision.sha}/"


# -- publish ------------------------------------------------------------------------------------


def test_the_confirmation_shows_what_becomes_public_and_publishes_nothing(
    owner: Client, draft: Revision
) -> None:
    page = owner.get(_publish(draft)).text
    for text in ("model.safetensors", "People whose application was approved", "Verified"):
        assert text in page
    draft.refresh_from_db()
    assert draft.state == "draft"


@pytest.mark.slow
def test_the_confirmation_names_every_file_and_every_change_page_by_page(
    owner: Client, checkpoint: Checkpoint, release_owner: User
) -> None:
    files = [AddFile(f"f{number:03}.txt", b"%d" % number) for number in range(101)]
    draft = committed(checkpoint, release_owner, *files)
    assert _pages(owner, draft) == [50, 50, 1]
    verify_all()
    publication.publish_draft(draft, by=release_owner)
    changed = [AddFile(f"f{number:03}.txt", b"new %d" % number) for number in range(60)]
    assert _pages(owner, committed(checkpoint, release_owner, *changed)) == [50, 10]


def _pages(owner: Client, draft: Revision) -> list[int]:
    """The number of files on each page of the confirmation; no file is on two of them."""
    found: list[set[str]] = []
    for number in range(1, 5):
        page = owner.get(_publish(draft), {"page": number}).text
        found.append(set(re.findall(r"<code>(f\d+\.txt)</code>", page)))
        if f"page={number + 1}" not in page:
            break
    assert len(set.union(*found)) == sum(map(len, found))
    return [len(names) for names in found]


@pytest.mark.slow
def test_a_draft_is_published_with_its_notes(owner: Client, draft: Revision) -> None:
    data = {"notes": "First release\n\nNotes.", "audience": "public"}
    done = owner.post(_publish(draft), data, follow=True)
    draft.refresh_from_db()
    assert (draft.state, draft.title) == ("visible", "First release")
    checkpoint = Checkpoint.objects.get()
    assert (checkpoint.private, checkpoint.is_hidden) == (False, False)
    assert "is published" in done.text
    assert "First release" in Client().get("/lab/opt/commits/main").text
    again = owner.post(_publish(draft), data, follow=True).text
    assert "is no longer a draft" in again


def test_a_draft_that_is_being_verified_is_published_by_its_last_file(
    owner: Client, checkpoint: Checkpoint, release_owner: User
) -> None:
    draft = committed(checkpoint, release_owner)
    assert "You can publish now" in owner.get(_publish(draft)).text
    done = owner.post(_publish(draft), {"audience": "public"}, follow=True).text
    assert "once its files are verified" in done
    assert "data-live" in done
    draft.refresh_from_db()
    assert draft.state == "pending"
    verify_all()
    draft.refresh_from_db()
    assert draft.state == "visible"


def test_findings_tell_others_that_the_publisher_knows_them(
    owner: Client, checkpoint: Checkpoint, release_owner: User
) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"
    draft = committed(checkpoint, release_owner, CARD, AddFile("model.bin", pointer))
    for page in (_publish(draft), f"/lab/opt/tree/{draft.sha}"):
        text = owner.get(page).text
        assert "Automatic checks" in text
        assert "has been informed" not in text
    verify_all()
    publication.publish_draft(draft, by=release_owner, accept_findings=True)
    assert "has been informed" in Client().get("/lab/opt/tree/main").text


def test_an_embargo_and_privacy_are_kept(owner: Client, draft: Revision) -> None:
    data = {"audience": "embargo", "embargo_until": "2020-01-01T12:00"}
    assert "Enter a date in the future" in owner.post(_publish(draft), data).text
    until = (timezone.now() + timedelta(days=3)).replace(second=0, microsecond=0)
    data |= {"embargo_until": f"{until:%Y-%m-%dT%H:%M}"}
    done = owner.post(_publish(draft), data, follow=True)
    assert f"becomes public on {day(until)} at {until:%H:%M} UTC." in done.text
    assert f"{draft} is published" not in done.text
    checkpoint = Checkpoint.objects.get()
    assert (checkpoint.embargo_until, checkpoint.private) == (until, False)
    assert Client().get("/lab/opt").status_code == 404


def test_a_private_publication_stays_private(owner: Client, draft: Revision) -> None:
    owner.post(_publish(draft), {"audience": "private"})
    assert Checkpoint.objects.get().private
    assert Client().get("/lab/opt").status_code == 404


def test_the_notes_alone_are_saved_and_the_draft_stays(owner: Client, draft: Revision) -> None:
    owner.post(_publish(draft), {"notes": "Later", "audience": "public", "save": "1"})
    draft.refresh_from_db()
    assert (draft.state, draft.message) == ("draft", "Later")
    event = AuditEvent.objects.get(action="revision.described")
    assert event.details == {"checkpoint": "lab/opt", "sha": draft.sha}


def test_published_notes_stay_and_other_people_write_none(
    owner: Client, draft: Revision, applicant: User, release_owner: User
) -> None:
    with pytest.raises(NotAllowed):
        notes.write_notes(draft, "x", by=applicant)
    owner.post(_publish(draft), {"notes": "Final", "audience": "public"})
    draft.refresh_from_db()
    with pytest.raises(TransitionRefused):
        notes.write_notes(draft, "Other", by=release_owner)
    draft.refresh_from_db()
    assert draft.message == "Final"


@pytest.mark.slow
def test_a_later_draft_is_compared_with_what_is_published(
    owner: Client, draft: Revision, release_owner: User
) -> None:
    owner.post(_publish(draft), {"audience": "public"})
    later = committed(draft.checkpoint, release_owner, AddFile("config.json", b"{}\n"))
    page = owner.get(_publish(later)).text
    assert "Changes since" in page
    assert "config.json" in page
    assert "model.safetensors" not in page
    assert "Who sees it" not in page
    verify_all()
    owner.post(_publish(later), {})
    later.refresh_from_db()
    assert later.state == "visible"


def test_what_stands_against_a_publication_is_named_and_nothing_is_published(
    owner: Client, checkpoint: Checkpoint, release_owner: User
) -> None:
    draft = committed(checkpoint, release_owner, AddFile("README.md", b"---\nlicense: mit\n---\n"))
    verify_all()
    assert "It cannot be published as it is" in owner.get(_publish(draft)).text
    refused = owner.post(_publish(draft), {"audience": "public"})
    assert refused.status_code == 422
    assert "Nothing was published" in refused.text
    draft.refresh_from_db()
    assert draft.state == "draft"


def test_files_of_a_stricter_tier_wait_for_a_second_person(
    owner: Client,
    gated_tier: Tier,
    open_tier: Tier,
    release_owner: User,
    settings: Settings,
    store: object,
) -> None:
    settings.SINGLE_OPERATOR = False
    factories.published("lab/gated", gated_tier, {"model.safetensors": WEIGHTS})
    made, _ = checkpoints.create_draft("lab", "opt", by=release_owner, tier=open_tier)
    draft = committed(made, release_owner, uploaded(made, release_owner))
    verify_all()
    done = owner.post(
        _publish(draft), {"audience": "public", "reason": "The paper is out."}, follow=True
    )
    request = ChangeRequest.objects.get()
    assert request.reason == "The paper is out."
    assert request.path in done.text
    draft.refresh_from_db()
    assert draft.state == "draft"


# -- discard and withdraw -----------------------------------------------------------------------


def test_a_draft_that_a_publication_replaced_is_marked_no_more(
    owner: Client, draft: Revision, release_owner: User
) -> None:
    assert DRAFT_MARK in owner.get("/my-checkpoints/").text
    newer = committed(draft.checkpoint, release_owner, AddFile("README.md", b"# Newer\n"))
    publication.publish_draft(newer, by=release_owner)
    assert DRAFT_MARK not in owner.get("/my-checkpoints/").text


def test_a_draft_is_discarded_after_a_question(owner: Client, draft: Revision) -> None:
    page = f"{BASE}discard/{draft.sha}/"
    assert "Discard this draft?" in owner.get(page).text
    assert Revision.objects.filter(pk=draft.pk).exists()
    assert "is discarded" in owner.post(page, follow=True).text
    assert not Revision.objects.filter(pk=draft.pk).exists()
    assert owner.post(page).status_code == 404


@pytest.mark.slow
def test_a_published_revision_is_not_discarded_and_a_draft_not_withdrawn(
    owner: Client, draft: Revision
) -> None:
    refused = owner.post(f"{BASE}withdraw/{draft.sha}/", {"reason": WHY})
    assert "is a draft; discard it instead" in refused.text
    owner.post(_publish(draft), {"audience": "public"})
    kept = owner.post(f"{BASE}discard/{draft.sha}/", follow=True).text
    assert "withdraw it instead" in kept
    assert Revision.objects.get(pk=draft.pk).state == "visible"


def test_a_withdrawal_shows_its_reach_and_needs_a_reason(
    owner: Client, draft: Revision, applicant: User
) -> None:
    owner.post(_publish(draft), {"audience": "public"})
    for person in (applicant, applicant, None):
        factories.downloaded(person, draft)
    page = f"{BASE}withdraw/{draft.sha}/"
    asked = " ".join(owner.get(page).text.split())
    assert "1, and 1 anonymous download <" in asked
    assert '<span class="tag">main</span>' in asked
    assert owner.post(page, {"reason": "x"}).status_code == 422
    assert Revision.objects.get(pk=draft.pk).state == "visible"
    owner.post(page, {"reason": WHY, "recall": "on"})
    withdrawn = Revision.objects.get(pk=draft.pk)
    assert (withdrawn.state, withdrawn.state_reason) == ("withdrawn", WHY)
    assert Recall.objects.get().revision == draft
    assert "already been withdrawn" in owner.post(page, {"reason": WHY}).text


def test_a_refused_publication_saves_no_notes_either(
    owner: Client, checkpoint: Checkpoint, release_owner: User
) -> None:
    draft = committed(checkpoint, release_owner, AddFile("README.md", b"---\nlicense: mit\n---\n"))
    owner.post(_publish(draft), {"audience": "public", "notes": "Other"})
    draft.refresh_from_db()
    assert (draft.state, draft.message) == ("draft", "Add files")
