"""A process killed before any statement leaves complete revisions, and can be run again."""

import pytest

from accounts.audit.models import AuditEvent
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support.crashes import each_crash
from tests.weights.publishing.drafts.making import committed, paths, verify_all
from weights.catalogue.models import Checkpoint
from weights.publishing.drafts import checkpoints, queries
from weights.publishing.drafts.commits import AddFile
from weights.publishing.drafts.publication import discard, publish_draft
from weights.publishing.models import Ref, Revision

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def draft(store: object, gated_tier: Tier, release_owner: User) -> Checkpoint:
    checkpoint, _ = checkpoints.create_draft("lab", "opt", by=release_owner)
    return checkpoint


def head(checkpoint: Checkpoint) -> Revision:
    found = queries.branch_head(checkpoint.pk, "main")
    assert found is not None
    return found


def all_are_whole(checkpoint: Checkpoint) -> bool:
    return all(one.file_count == one.files.count() for one in checkpoint.revisions.all())


@pytest.mark.requirement("IN-16")
def test_a_killed_commit_leaves_the_branch_or_a_whole_revision(
    draft: Checkpoint, release_owner: User
) -> None:
    first = committed(draft, release_owner)

    def act() -> object:
        return committed(draft, release_owner, AddFile("a.txt", b"a"))

    left = []
    for _ in each_crash(act):
        assert all_are_whole(draft)
        left.append(head(draft) == first)
    # After the transaction, the verification is queued.
    assert left == sorted(left, reverse=True)
    assert left[0]
    assert paths(head(draft)) == ["README.md", "a.txt", "model.safetensors"]
    assert AuditEvent.objects.filter(action="revision.committed").count() == 3


@pytest.mark.requirement("IN-19")
def test_a_killed_publication_leaves_a_draft_or_a_published_revision(
    draft: Checkpoint, release_owner: User
) -> None:
    revision = committed(draft, release_owner)
    verify_all()
    published = AuditEvent.objects.filter(action="revision.published")
    left = []
    for _ in each_crash(lambda: publish_draft(revision, by=release_owner)):
        revision.refresh_from_db()
        draft.refresh_from_db()
        refs = Ref.objects.count()
        left.append((revision.state, draft.private, published.count(), refs))
    assert set(left) <= {("draft", True, 0, 0), ("visible", False, 1, 1)}
    assert left[0][0] == "draft"
    revision.refresh_from_db()
    assert (revision.state, published.count()) == ("visible", 1)


@pytest.mark.requirement("IN-19")
def test_a_killed_discard_leaves_the_draft_or_nothing_of_it(
    draft: Checkpoint, release_owner: User
) -> None:
    first = committed(draft, release_owner)
    second = committed(draft, release_owner, AddFile("a.txt", b"a"))
    for _ in each_crash(lambda: discard(second, by=release_owner)):
        assert all_are_whole(draft)
        assert head(draft) == second
    assert head(draft) == first
