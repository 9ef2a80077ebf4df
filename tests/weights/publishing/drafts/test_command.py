"""`manage.py publish_draft`, and other commands while there are drafts."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from accounts.users.models import User
from tests.weights.publishing.drafts.making import CARD, committed, verify_all
from weights.catalogue.models import Checkpoint
from weights.publishing.drafts import branches
from weights.publishing.drafts.commits import AddFile
from weights.publishing.models import Revision


@pytest.mark.requirement("IN-19")
def test_it_publishes_the_newest_draft_of_a_branch(
    draft: Checkpoint, release_owner: User, manage: Callable[..., str]
) -> None:
    revision = committed(draft, release_owner)
    verify_all()
    assert manage("publish_draft", "lab/opt", "--private", "--wait").strip() == revision.sha
    revision.refresh_from_db()
    draft.refresh_from_db()
    assert (revision.state, draft.private) == ("visible", True)
    assert manage("publish_draft", "lab/opt").strip() == revision.sha


def test_it_takes_release_notes(
    draft: Checkpoint, release_owner: User, manage: Callable[..., str]
) -> None:
    revision = committed(draft, release_owner)
    with pytest.raises(CommandError, match="at most 10000 characters"):
        manage("publish_draft", "lab/opt", "--notes", "x" * 10_001)
    manage("publish_draft", "lab/opt", "--notes", "First release\n\nTrained on sheep.\n")
    revision.refresh_from_db()
    assert (revision.state, revision.title) == ("pending", "First release")


def test_it_takes_a_branch_an_id_and_an_embargo(
    draft: Checkpoint, release_owner: User, manage: Callable[..., str]
) -> None:
    committed(draft, release_owner)
    branches.create_branch(draft, "dev", by=release_owner)
    revision = committed(draft, release_owner, AddFile("a.txt", b"a"), branch="dev")
    until = (timezone.now() + timedelta(days=2)).replace(microsecond=0)
    manage("publish_draft", "lab/opt", "--revision", "dev", "--embargo-until", until.isoformat())
    revision.refresh_from_db()
    draft.refresh_from_db()
    assert (revision.state, draft.embargo_until) == ("pending", until)
    manage("publish_draft", "lab/opt", "--revision", revision.sha)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lab/none"], "there is no checkpoint lab/none"),
        (["lab/opt", "--revision", "none"], "has no draft none"),
        (["lab/opt"], "Empty weight files"),
        (["lab/opt", "--embargo-until", "2020-01-01T00:00Z"], "end in the future"),
        (["lab/opt", "--embargo-until", "2020-13-01T00:00Z"], "is not a time"),
        (["lab/opt", "--embargo-until", "soon"], "is not a time"),
    ],
)
def test_a_mistake_is_one_line(
    draft: Checkpoint,
    release_owner: User,
    manage: Callable[..., str],
    arguments: list[str],
    message: str,
) -> None:
    revision = committed(draft, release_owner, CARD, AddFile("model.bin", b""))
    with pytest.raises(CommandError) as refused:
        manage("publish_draft", *arguments)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    revision.refresh_from_db()
    assert revision.state == Revision.State.DRAFT
    manage("publish_draft", "lab/opt", "--accept-findings")


def test_other_commands_accept_drafts(
    draft: Checkpoint, release_owner: User, manage: Callable[..., str]
) -> None:
    revision = committed(draft, release_owner)
    verify_all()
    assert "revisions: 2" in manage("verify_manifests")
    manage("verify", "lab/opt")
    with pytest.raises(CommandError, match="discard it"):
        manage("withdraw", "lab/opt", revision.sha, "--reason", "It was wrong.")
