"""Publishing drafts: what prevents it, and who must agree."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.change_requests import services as change_requests
from accounts.change_requests.acts import act_of
from accounts.change_requests.models import ChangeRequest
from accounts.errors import (
    InvalidValue,
    NotAllowed,
    RecentAuthenticationRequired,
    TierRetired,
    TransitionRefused,
)
from accounts.roles.permissions import Role
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier, TierChange
from accounts.users import recent_authentication
from accounts.users.models import User
from tests.support import factories
from tests.weights.publishing.drafts.making import (
    CARD,
    WEIGHTS,
    committed,
    paths,
    uploaded,
    verify_all,
)
from weights.catalogue.models import Checkpoint
from weights.errors import BranchMoved, FindingsRefused, PublishRefused, WithdrawalRefused
from weights.integrity import verification
from weights.publishing import withdrawal
from weights.publishing.drafts import checkpoints, queries
from weights.publishing.drafts.commits import AddFile, DeleteFile
from weights.publishing.drafts.publication import discard, publish_draft
from weights.publishing.models import Ref, Revision
from weights.storage.models import Blob


@pytest.fixture(autouse=True)
def _two_people(settings: Settings) -> None:
    settings.SINGLE_OPERATOR = False


LICENSED = AddFile("README.md", b"---\nlicense: mit\n---\n# A model\n")


def open_draft(by: User, open_tier: Tier, name: str = "open") -> Checkpoint:
    checkpoint, _ = checkpoints.create_draft("lab", name, by=by, tier=open_tier)
    return checkpoint


def publish(revision: Revision, by: User | None, **options: object) -> ChangeRequest | None:
    return publish_draft(revision, by=by, **options)  # type: ignore[arg-type]


def settled(revision: Revision) -> Revision:
    verify_all()
    revision.refresh_from_db()
    verification.settle(revision)
    for blob in Blob.objects.awaiting_inspection():  # known bytes under a new name
        verification.inspect(blob.pk)
    revision.refresh_from_db()
    return revision


@pytest.mark.requirement("IN-19")
def test_a_draft_becomes_visible_once_its_files_are_verified(
    draft: Checkpoint, release_owner: User
) -> None:
    revision = committed(draft, release_owner)
    assert publish(revision, release_owner) is None
    draft.refresh_from_db()
    assert (revision.state, draft.private) == ("pending", False)
    assert publish(revision, release_owner) is None  # twice does no harm
    assert settled(revision).state == Revision.State.VISIBLE
    assert Ref.objects.get(checkpoint=draft, name="main").revision == revision
    draft.refresh_from_db()
    assert draft.published_at is not None
    events = AuditEvent.objects.filter(action="revision.published")
    assert [event.details["sha"] for event in events] == [revision.sha]
    shown = TierChange.objects.filter(checkpoint="lab/opt", hidden=False)
    assert [change.tier for change in shown] == [draft.tier]


def test_a_verified_draft_is_visible_at_once(draft: Checkpoint, release_owner: User) -> None:
    revision = committed(draft, release_owner)
    verify_all()
    publish(revision, release_owner)
    assert revision.state == Revision.State.VISIBLE


@pytest.mark.slow
def test_an_owner_may_keep_it_private_or_set_an_embargo(
    release_owner: User, open_tier: Tier, store: object
) -> None:
    private = open_draft(release_owner, open_tier, "private")
    publish(committed(private, release_owner), release_owner, private=True)
    later = open_draft(release_owner, open_tier, "later")
    until = timezone.now() + timedelta(days=3)
    publish(committed(later, release_owner), release_owner, embargo_until=until)
    verify_all()
    verification.sweep()
    private.refresh_from_db()
    later.refresh_from_db()
    assert (private.private, later.private, later.embargo_until) == (True, False, until)
    assert private.published_at is not None
    for name in ("private", "later"):
        assert Client().get(f"/lab/{name}/resolve/main/README.md").status_code == 404
    assert not TierChange.objects.filter(tier=open_tier, hidden=False, checkpoint__gt="").exists()


def test_a_published_checkpoint_keeps_its_privacy_and_embargo(
    draft: Checkpoint, release_owner: User
) -> None:
    revision = committed(draft, release_owner)
    with pytest.raises(InvalidValue):
        publish(revision, release_owner, embargo_until=timezone.now())
    publish(revision, release_owner)
    settled(revision)
    second = committed(draft, release_owner, AddFile("a.txt", b"a"))
    with pytest.raises(PublishRefused, match="in its settings"):
        publish(second, release_owner, private=True)
    publish(second, release_owner)
    draft.refresh_from_db()
    assert not draft.private


def test_only_owners_publish_after_a_recent_sign_in(
    draft: Checkpoint, release_owner: User, administrator: User
) -> None:
    revision = committed(draft, release_owner)
    with pytest.raises(NotAllowed):
        publish(revision, administrator)
    with recent_authentication.in_request(), pytest.raises(RecentAuthenticationRequired):
        publish(revision, release_owner)
    revision.refresh_from_db()
    assert revision.state == Revision.State.DRAFT


def test_an_empty_draft_and_a_retired_tier_are_refused(
    draft: Checkpoint, release_owner: User
) -> None:
    empty = queries.branch_head(draft.pk, "main")
    assert empty is not None
    with pytest.raises(PublishRefused, match="no files"):
        publish(empty, release_owner)
    revision = committed(draft, release_owner)
    Tier.objects.update(retired_at=timezone.now())
    with pytest.raises(TierRetired):
        publish(revision, release_owner)


def test_the_card_must_not_contradict_the_licence_of_the_tier(
    draft: Checkpoint, release_owner: User
) -> None:
    with pytest.raises(PublishRefused, match="states the licence mit"):
        publish(committed(draft, release_owner, LICENSED), release_owner)


def test_errors_of_the_lint_are_refused_unless_they_are_accepted(
    draft: Checkpoint, release_owner: User
) -> None:
    revision = committed(draft, release_owner, CARD, AddFile("model.bin", b""))
    with pytest.raises(FindingsRefused, match="Empty weight files"):
        publish(revision, release_owner)
    Revision.objects.update(findings=None)  # an older draft
    revision.refresh_from_db()
    with pytest.raises(FindingsRefused):
        publish(revision, release_owner)
    publish(revision, release_owner, accept_findings=True)
    assert revision.state == Revision.State.PENDING


@pytest.mark.requirement("IN-19")
def test_refused_bytes_keep_a_draft_from_being_published(
    draft: Checkpoint, release_owner: User
) -> None:
    evil = b"cos\nsystem\n(S'true'\ntR."
    revision = committed(draft, release_owner, CARD, uploaded(draft, release_owner, "x.pkl", evil))
    verify_all()
    match = r"x\.pkl contains bytes that are in quarantine: .* protocol 2\. Commit other bytes"
    with pytest.raises(PublishRefused, match=match):
        publish(revision, release_owner)
    cleaned = committed(draft, release_owner, DeleteFile("x.pkl"))
    publish(cleaned, release_owner)
    assert cleaned.state == Revision.State.VISIBLE


def test_bytes_that_are_refused_after_the_publication_keep_it_invisible(
    draft: Checkpoint, release_owner: User
) -> None:
    evil = b"cos\nsystem\n(S'true'\ntR."
    revision = committed(draft, release_owner, CARD, uploaded(draft, release_owner, "x.pkl", evil))
    publish(revision, release_owner)
    assert settled(revision).state == Revision.State.FAILED
    assert "x.pkl" in revision.state_reason


def test_a_branch_that_published_something_else_is_not_overwritten(
    draft: Checkpoint, release_owner: User
) -> None:
    first = committed(draft, release_owner)
    publish(first, release_owner)
    settled(first)
    stale = committed(draft, release_owner, AddFile("a.txt", b"a"))
    Revision.objects.filter(pk=stale.pk).update(parent=None)
    with pytest.raises(BranchMoved, match="has published"):
        publish(stale, release_owner)


def test_commits_of_one_upload_are_published_together(
    draft: Checkpoint, release_owner: User
) -> None:
    first = committed(draft, release_owner, CARD)
    second = committed(draft, release_owner, uploaded(draft, release_owner))
    assert [one.pk for one in queries.drafts_of(release_owner)] == [second.pk]
    publish(second, release_owner)
    settled(second)
    first.refresh_from_db()
    assert (first.state, second.state) == ("draft", "visible")
    assert not queries.drafts_of(release_owner).exists()
    assert paths(second) == ["README.md", "model.safetensors"]


# -- the second person --------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.requirement("IN-19")
def test_weights_of_a_stricter_tier_wait_for_a_second_person(
    release_owner: User, gated_tier: Tier, open_tier: Tier, store: object
) -> None:
    colleague = factories.staff("colleague", Role.RELEASE_OWNER)
    factories.published("acme/gated", gated_tier, {"model.safetensors": WEIGHTS})
    checkpoint = open_draft(release_owner, open_tier)
    revision = committed(checkpoint, release_owner)
    request = publish(revision, release_owner)
    assert request is not None
    assert "in the tier open" in act_of(request).describe(request).sentence
    assert publish(revision, release_owner) == request
    revision.refresh_from_db()
    assert revision.state == Revision.State.DRAFT
    assert set(request.tiers.all()) == {gated_tier, open_tier}
    change_requests.confirm(request, by=colleague, reason="Both may see it.")
    assert request.state == ChangeRequest.State.CONFIRMED
    assert settled(revision).state == Revision.State.VISIBLE


@pytest.mark.parametrize("state", [Revision.State.PENDING, Revision.State.FAILED])
def test_weights_count_before_the_stricter_tier_shows_them(
    release_owner: User, gated_tier: Tier, open_tier: Tier, store: object, state: Revision.State
) -> None:
    unverified = factories.published("acme/gated", gated_tier, {"model.safetensors": WEIGHTS})
    Revision.objects.filter(pk=unverified.pk).update(state=state, visible_at=None)
    revision = committed(open_draft(release_owner, open_tier), release_owner)
    assert publish(revision, release_owner) is not None


def test_weights_of_a_stricter_draft_need_nobody_else(
    draft: Checkpoint, release_owner: User, open_tier: Tier
) -> None:
    committed(draft, release_owner)
    revision = committed(open_draft(release_owner, open_tier), release_owner)
    assert publish(revision, release_owner) is None


def test_a_further_stricter_tier_supersedes_the_request(
    release_owner: User, gated_tier: Tier, open_tier: Tier, store: object
) -> None:
    colleague = factories.staff("colleague", Role.RELEASE_OWNER)
    factories.published("acme/gated", gated_tier, {"model.safetensors": WEIGHTS})
    revision = committed(open_draft(release_owner, open_tier), release_owner)
    request = publish(revision, release_owner)
    assert request is not None
    other = factories.tier("other", AccessMode.REVIEWED)
    factories.published("acme/other", other, {"model.safetensors": WEIGHTS})
    change_requests.confirm(request, by=colleague, reason="Both may see it.")
    assert request.state == ChangeRequest.State.SUPERSEDED
    revision.refresh_from_db()
    assert revision.state == Revision.State.DRAFT
    again = publish(revision, release_owner)
    assert again is not None
    assert other in again.tiers.all()


def test_a_discarded_draft_supersedes_its_request(
    release_owner: User, gated_tier: Tier, open_tier: Tier, store: object
) -> None:
    colleague = factories.staff("colleague", Role.RELEASE_OWNER)
    factories.published("acme/gated", gated_tier, {"model.safetensors": WEIGHTS})
    checkpoint = open_draft(release_owner, open_tier)
    revision = committed(checkpoint, release_owner)
    request = publish(revision, release_owner)
    assert request is not None
    discard(revision, by=release_owner)
    assert act_of(request).describe(request).sentence.endswith("now discarded")
    change_requests.confirm(request, by=colleague, reason="Both may see it.")
    assert request.state == ChangeRequest.State.SUPERSEDED


def test_an_owner_of_the_laxer_tier_alone_cannot_request_it(
    gated_tier: Tier, open_tier: Tier, store: object
) -> None:
    lax = factories.staff("lax", Role.RELEASE_OWNER, open_tier)
    factories.published("acme/gated", gated_tier, {"model.safetensors": WEIGHTS})
    revision = committed(open_draft(lax, open_tier), lax)
    with pytest.raises(PublishRefused, match="stricter tier"):
        publish(revision, lax)


def test_weights_of_a_laxer_tier_and_of_this_one_need_nobody_else(
    draft: Checkpoint, release_owner: User, open_tier: Tier
) -> None:
    factories.published("acme/open", open_tier, {"model.safetensors": WEIGHTS})
    assert publish(committed(draft, release_owner), release_owner) is None


# -- tiers that publish commits -----------------------------------------------------------


def test_a_tier_may_publish_each_commit(draft: Checkpoint, release_owner: User) -> None:
    Tier.objects.update(publishes_commits=True)
    refused = committed(draft, release_owner, LICENSED)
    assert refused.state == Revision.State.DRAFT
    revision = committed(draft, release_owner, CARD)
    assert revision.state == Revision.State.PENDING
    assert settled(revision).state == Revision.State.VISIBLE


def test_such_a_tier_keeps_weights_of_a_stricter_tier_as_drafts(
    release_owner: User, gated_tier: Tier, open_tier: Tier, store: object
) -> None:
    Tier.objects.update(publishes_commits=True)
    factories.published("acme/gated", gated_tier, {"model.safetensors": WEIGHTS})
    revision = committed(open_draft(release_owner, open_tier), release_owner)
    assert revision.state == Revision.State.DRAFT
    assert not ChangeRequest.objects.exists()


# -- discarding and withdrawing -----------------------------------------------------------


def test_a_discarded_draft_leaves_no_row_but_its_events(
    draft: Checkpoint, release_owner: User
) -> None:
    first = committed(draft, release_owner, CARD)
    second = committed(draft, release_owner, uploaded(draft, release_owner))
    third = committed(draft, release_owner, AddFile("a.txt", b"a"))
    discard(second, by=release_owner)
    discard(second, by=release_owner)
    assert queries.branch_head(draft.pk, "main") == first
    events = AuditEvent.objects.filter(action="revision.discarded").order_by("pk")
    assert [event.details["sha"] for event in events] == [second.sha, third.sha]


def test_what_is_published_is_not_discarded_and_drafts_are_not_withdrawn(
    draft: Checkpoint, release_owner: User, administrator: User
) -> None:
    first = committed(draft, release_owner, CARD)
    second = committed(draft, release_owner, uploaded(draft, release_owner))
    with pytest.raises(NotAllowed):
        discard(second, by=administrator)
    with pytest.raises(WithdrawalRefused, match="discard it"):
        withdrawal.withdraw(second, "It was wrong.", by=release_owner)
    publish(second, release_owner)
    for revision in (first, second):
        with pytest.raises(TransitionRefused):
            discard(revision, by=release_owner)
    withdrawal.withdraw(second, "It was wrong.", by=release_owner)
    assert queries.branch_head(draft.pk, "main") == first
