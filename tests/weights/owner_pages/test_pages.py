"""My checkpoints and a checkpoint's page: only for release owners, with live verification, tags."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.owner_pages.conftest import BASE
from tests.weights.publishing.drafts.making import committed
from weights.catalogue.models import Checkpoint
from weights.owner_pages import queries
from weights.publishing.drafts import checkpoints
from weights.publishing.drafts.commits import AddFile
from weights.publishing.models import Ref, Revision

pytestmark = pytest.mark.django_db
LIST = "/my-checkpoints/"
HOSTILE = "<script>alert(1)</script>‮" + "long" * 40
PAGES = ["", "card/", "facts/", "delete/", "fetched/"]


def _paths(revision: Revision) -> list[str]:
    acts = [f"{act}/{revision.sha}/" for act in ("publish", "discard", "withdraw")]
    return [LIST, f"{LIST}new/", *(BASE + page for page in [*PAGES, *acts])]


# -- for whom -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_nobody_but_its_release_owners_reaches_a_page(
    draft: Revision, applicant: User, auditor: User, reviewer: User
) -> None:
    elsewhere = factories.staff("elsewhere", Role.RELEASE_OWNER, factories.tier("another"))
    for path in _paths(draft):
        assert Client().get(path)["Location"].startswith("/accounts/login/")
        for person in (applicant, auditor, reviewer):
            window = Client()
            window.force_login(person)
            assert window.get(path).status_code == 404, (person, path)
            assert window.post(path, {"reason": "It is wrong."}).status_code == 404
    window = Client()
    window.force_login(elsewhere)
    assert "lab/opt" not in window.get(LIST).text
    for path in _paths(draft)[2:]:
        assert window.get(path).status_code == 404, path
        assert window.post(path, {"reason": "It is wrong."}).status_code == 404


def test_the_navigation_leads_release_owners_there_and_nobody_else(
    owner: Client, applicant: User, auditor: User
) -> None:
    assert f'href="{LIST}"' in owner.get("/models").text
    for person in (applicant, auditor):
        window = Client()
        window.force_login(person)
        assert f'href="{LIST}"' not in window.get("/models").text
    assert f'href="{LIST}"' not in Client().get("/models").text


def test_an_organisation_cannot_take_the_name_of_the_pages(
    owner: Client, gated_tier: Tier, store: object
) -> None:
    data = {"org": "my-checkpoints", "name": "new", "tier": gated_tier.slug}
    assert "is a path of the portal" in owner.post(f"{LIST}new/", data).text
    assert not Checkpoint.objects.exists()


# -- what they show -----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_draft_is_listed_with_its_verification_until_it_ends(
    owner: Client, checkpoint: Checkpoint, release_owner: User
) -> None:
    assert "No drafts. Commits" in owner.get(LIST).text
    draft = committed(checkpoint, release_owner)
    for path in (LIST, BASE):
        page = owner.get(path).text
        assert draft.sha[:12] in page
        assert "data-live" in page
        assert "Being verified" in page
        assert "0 of 2 files" in page
    draft.files.get(path="README.md").blob.transition("hash")
    draft.files.get(path="README.md").blob.transition("verify")
    assert "1 of 2 files" in owner.get(BASE).text
    weights = draft.files.get(path="model.safetensors").blob
    weights.transition("hash")
    weights.transition(
        "quarantine", quarantine_reason="Bad", check_due_at=None, inspect_due_at=None
    )
    page = owner.get(BASE).text
    assert "data-live" not in page
    assert "A file failed its check" in page
    assert "lab/opt/model.safetensors" in page
    assert "Bad" in page


def test_a_published_checkpoint_shows_its_visible_revisions_with_their_refs(
    owner: Client, gated_tier: Tier, store: object
) -> None:
    revision = factories.published("lab/opt", gated_tier)
    Ref.objects.create(
        checkpoint=revision.checkpoint, kind=Ref.Kind.TAG, name="v1", revision=revision
    )
    page = owner.get(BASE).text
    assert f"withdraw/{revision.sha}/" in page
    assert '<span class="tag">v1</span>' in page
    assert "Nothing to publish" in page


def test_hostile_names_neither_break_nor_run(
    owner: Client, checkpoint: Checkpoint, release_owner: User
) -> None:
    draft = committed(checkpoint, release_owner, AddFile("a<b>&.txt", b"x"))
    Revision.objects.filter(pk=draft.pk).update(message=HOSTILE)
    Checkpoint.objects.update(title=HOSTILE, summary=HOSTILE)
    release_owner.first_name = HOSTILE[:100]
    release_owner.save()
    for path in _paths(draft):
        page = owner.get(path).text
        assert "<script>alert" not in page, path
        assert "a<b>" not in page, path


@pytest.mark.slow
def test_the_lists_make_no_query_for_each_row(
    owner: Client,
    gated_tier: Tier,
    release_owner: User,
    store: object,
    django_assert_max_num_queries: Callable[..., Any],
) -> None:
    for number in range(8):
        made, _ = checkpoints.create_draft("lab", f"m{number}", by=release_owner)
        committed(made, release_owner, AddFile("a.txt", b"%d" % number))
        factories.published(f"lab/p{number}", gated_tier)
    with django_assert_max_num_queries(17):
        page = owner.get(LIST).text
    assert all(f"lab/m{number}" in page for number in range(8))
    for number in range(4):
        committed(made, release_owner, AddFile(f"{number}.txt", b"%d" % number))
    with django_assert_max_num_queries(17):
        owner.get("/my-checkpoints/lab/m7/")


def test_progress_counts_files_and_bytes(draft: Revision) -> None:
    [one] = queries.unpublished([draft])
    assert (one.files, one.verified, one.waiting, one.quarantined) == (2, 2, 0, 0)
    assert one.done == one.total == draft.total_bytes
    assert one.state == ("verified", "Verified")


# -- tags ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_draft_is_tagged_and_its_tag_deleted(owner: Client, draft: Revision) -> None:
    added = owner.post(f"{BASE}tags/", {"tag": "v1.0", "revision": draft.sha}, follow=True).text
    assert "now has the tag v1.0" in added
    assert Ref.objects.get(name="v1.0").revision == draft
    again = owner.post(f"{BASE}tags/", {"tag": "v1.0", "revision": draft.sha})
    assert again.status_code == 422
    assert "already" in again.text
    bad = owner.post(f"{BASE}tags/", {"tag": "a b", "revision": draft.sha})
    assert "git would accept" in bad.text
    assert owner.post(f"{BASE}tags/", {"tag": "v2", "revision": "0" * 40}).status_code == 422
    deleted = owner.post(f"{BASE}tags/delete/", {"tag": "v1.0"}, follow=True).text
    assert "The tag v1.0 is deleted" in deleted
    assert "has no tag" in owner.post(f"{BASE}tags/delete/", {"tag": "nope\x00"}, follow=True).text


# -- who fetched what ---------------------------------------------------------------------------


def test_the_people_who_fetched_are_listed_with_their_files(
    owner: Client,
    gated_tier: Tier,
    applicant: User,
    other_person: User,
    store: object,
    django_assert_max_num_queries: Callable[..., Any],
) -> None:
    revision = factories.published("lab/opt", gated_tier)
    other = factories.published("lab/other", gated_tier)
    assert "Nobody with an account" in owner.get(f"{BASE}fetched/").text
    for person in (applicant, applicant, None):
        factories.downloaded(person, revision)
    factories.downloaded(other_person, other)
    with django_assert_max_num_queries(12):
        page = owner.get(f"{BASE}fetched/").text
    assert applicant.username in page
    assert other_person.username not in page
    User.objects.filter(pk=applicant.pk).update(first_name="", last_name="")
    nameless = owner.get(f"{BASE}fetched/").text
    assert nameless.count(applicant.username) == 1
    assert "1 more" in page
