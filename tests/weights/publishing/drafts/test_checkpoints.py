"""Clients create and delete checkpoints, branches and tags."""

import pytest
from django.test import Client

from accounts.audit.models import AuditEvent
from accounts.errors import NotAllowed, TransitionRefused
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier, TierChange
from accounts.users.models import User
from tests.support import factories
from tests.weights.publishing.drafts.making import CARD, committed, uploaded, verify_all
from weights.catalogue.models import Checkpoint
from weights.errors import InvalidName, NameTaken, UnknownRevision
from weights.integrity import verification
from weights.publishing.drafts import branches, checkpoints, queries
from weights.publishing.drafts.commits import AddFile
from weights.publishing.drafts.publication import publish_draft
from weights.publishing.models import Ref, Revision


def published(checkpoint: Checkpoint, by: User) -> Revision:
    revision = committed(checkpoint, by)
    publish_draft(revision, by=by)
    verify_all()
    verification.settle(revision)
    checkpoint.refresh_from_db()
    return revision


# -- create -------------------------------------------------------------------------------


def test_a_new_checkpoint_is_private_and_in_the_strictest_tier_of_its_maker(
    draft: Checkpoint, release_owner: User, open_tier: Tier
) -> None:
    assert (draft.private, draft.tier.slug, draft.published_at) == (True, "opt-175b", None)
    strict = factories.tier("strict", approvals_needed=2)
    factories.tier("retired", approvals_needed=2, inspected_only=True, retired_at=draft.created_at)
    made, is_new = checkpoints.create_draft("lab", "two", by=release_owner)
    assert (made.tier, is_new) == (strict, True)
    again, is_new = checkpoints.create_draft("lab", "two", by=release_owner)
    assert (again, is_new) == (made, False)
    chosen, _ = checkpoints.create_draft("lab", "three", by=release_owner, tier=open_tier)
    assert chosen.tier == open_tier
    events = AuditEvent.objects.filter(action="checkpoint.created")
    assert events.filter(actor_id=release_owner.public_id).count() == 3
    assert not TierChange.objects.filter(checkpoint__startswith="lab/", hidden=False).exists()


def test_only_release_owners_create_checkpoints_in_their_tiers(
    administrator: User, other_person: User, open_tier: Tier, gated_tier: Tier
) -> None:
    lax = factories.staff("lax", Role.RELEASE_OWNER, open_tier)
    for person, tier in ((administrator, None), (other_person, None), (lax, gated_tier)):
        with pytest.raises(NotAllowed):
            checkpoints.create_draft("lab", "x", by=person, tier=tier)
    made, _ = checkpoints.create_draft("lab", "x", by=lax)
    assert made.tier == open_tier


@pytest.mark.parametrize("name", ["api/x", "lab/..", "lab/x.git", "a b/c", "lab/\0", "/x", "lab/"])
def test_names_that_clients_cannot_reach_are_refused(release_owner: User, name: str) -> None:
    org, _, rest = name.partition("/")
    with pytest.raises(InvalidName):
        checkpoints.create_draft(org, rest, by=release_owner)


def test_a_name_of_others_or_in_another_case_is_taken(
    draft: Checkpoint, release_owner: User, open_tier: Tier
) -> None:
    with pytest.raises(NameTaken):
        checkpoints.create_draft("LAB", "opt", by=release_owner)
    lax = factories.staff("lax", Role.RELEASE_OWNER, open_tier)
    with pytest.raises(NameTaken):
        checkpoints.create_draft("lab", "opt", by=lax)


# -- delete -------------------------------------------------------------------------------


def test_a_draft_checkpoint_is_deleted_with_its_revisions(
    draft: Checkpoint, release_owner: User, administrator: User
) -> None:
    committed(draft, release_owner)
    branches.create_branch(draft, "dev", by=release_owner)
    committed(draft, release_owner, AddFile("a.txt", b"a"), branch="dev")
    with pytest.raises(NotAllowed):
        checkpoints.delete(draft, by=administrator)
    checkpoints.delete(draft, by=release_owner)
    assert not Checkpoint.objects.filter(org="lab").exists()
    event = AuditEvent.objects.get(action="checkpoint.deleted")
    assert event.details == {"checkpoint": "lab/opt", "revisions": 3}
    again, is_new = checkpoints.create_draft("lab", "opt", by=release_owner)
    assert (is_new, again.revisions.count()) == (True, 1)


def test_a_published_checkpoint_is_withdrawn_and_its_drafts_go(
    draft: Checkpoint, release_owner: User
) -> None:
    revision = published(draft, release_owner)
    committed(draft, release_owner, AddFile("a.txt", b"a"))
    checkpoints.delete(draft, by=release_owner)
    revision.refresh_from_db()
    assert (revision.state, revision.state_reason) == ("withdrawn", checkpoints.DELETED)
    assert not draft.revisions.exclude(state="withdrawn").filter(message="Add files").exists()
    answer = Client().get("/lab/opt/resolve/main/README.md")
    assert answer.status_code in {401, 410}


# -- branches and tags --------------------------------------------------------------------


def test_a_branch_of_a_draft_takes_commits_of_its_own(
    draft: Checkpoint, release_owner: User
) -> None:
    first = committed(draft, release_owner)
    branches.create_branch(draft, "dev", by=release_owner)
    second = committed(draft, release_owner, AddFile("a.txt", b"a"), branch="dev")
    assert second.parent == first
    assert queries.branch_head(draft.pk, "main") == first
    assert queries.find_revision(draft, "refs/heads/dev") == second
    branches.create_tag(draft, "v1", by=release_owner, revision="dev")
    assert queries.find_revision(draft, "v1") == second
    for name in ("dev", "v1", "main"):
        with pytest.raises(NameTaken):
            branches.create_branch(draft, name, by=release_owner)
    with pytest.raises(UnknownRevision):
        branches.create_tag(draft, "v2", by=release_owner, revision="none")
    with pytest.raises(InvalidName):
        branches.create_branch(draft, "refs/heads/x", by=release_owner)


def test_a_tag_of_a_draft_is_shown_once_it_is_published(
    release_owner: User, open_tier: Tier, store: object
) -> None:
    checkpoint, _ = checkpoints.create_draft("lab", "open", by=release_owner, tier=open_tier)
    first = published(checkpoint, release_owner)
    second = committed(checkpoint, release_owner, AddFile("a.txt", b"a"))
    branches.create_tag(checkpoint, "v2", by=release_owner, revision=second.sha)
    address = "/lab/open/resolve/v2/a.txt"
    assert Client().get(address).status_code == 404
    assert Client().get("/api/models/lab/open/refs").json()["tags"] == []
    publish_draft(second, by=release_owner)
    verify_all()
    verification.settle(second)
    assert Client().get(address).status_code == 200
    assert first.pk < second.pk
    with pytest.raises(TransitionRefused, match="tags never change"):
        branches.delete_tag(checkpoint, "v2", by=release_owner)


def test_a_deleted_branch_takes_its_drafts_along(draft: Checkpoint, release_owner: User) -> None:
    first = published(draft, release_owner)
    branches.create_branch(draft, "dev", by=release_owner)
    draft_of_dev = committed(draft, release_owner, AddFile("a.txt", b"a"), branch="dev")
    branches.create_tag(draft, "v1", by=release_owner, revision="dev")
    branches.delete_branch(draft, "dev", by=release_owner)
    assert not Revision.objects.filter(pk=draft_of_dev.pk).exists()
    assert set(Ref.objects.values_list("name", flat=True)) == {"main"}
    with pytest.raises(UnknownRevision):
        branches.delete_branch(draft, "dev", by=release_owner)
    branches.create_branch(draft, "dev", by=release_owner)
    assert queries.branch_head(draft.pk, "dev") == first


def test_main_and_branches_that_others_stand_on_are_not_deleted(
    draft: Checkpoint, release_owner: User, administrator: User
) -> None:
    committed(draft, release_owner)
    branches.create_branch(draft, "dev", by=release_owner)
    committed(draft, release_owner, AddFile("a.txt", b"a"), branch="dev")
    branches.create_branch(draft, "next", by=release_owner, starting_point="dev")
    committed(draft, release_owner, AddFile("b.txt", b"b"), branch="next")
    with pytest.raises(TransitionRefused, match="default branch"):
        branches.delete_branch(draft, "main", by=release_owner)
    with pytest.raises(TransitionRefused, match="is based on"):
        branches.delete_branch(draft, "dev", by=release_owner)
    with pytest.raises(NotAllowed):
        branches.delete_branch(draft, "dev", by=administrator)
    branches.create_tag(draft, "v1", by=release_owner)
    branches.delete_tag(draft, "v1", by=release_owner)
    with pytest.raises(UnknownRevision):
        branches.delete_tag(draft, "v1", by=release_owner)


def test_a_branch_that_is_being_verified_is_not_deleted(
    draft: Checkpoint, release_owner: User
) -> None:
    branches.create_branch(draft, "dev", by=release_owner)
    revision = committed(draft, release_owner, CARD, uploaded(draft, release_owner), branch="dev")
    publish_draft(revision, by=release_owner)
    with pytest.raises(TransitionRefused, match="being verified"):
        branches.delete_branch(draft, "dev", by=release_owner)
