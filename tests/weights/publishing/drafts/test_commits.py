"""Commits: their operations, their limits, and two writers on one branch."""

import hashlib
from collections.abc import Callable
from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest
from django.test import Client

from accounts.audit.models import AuditEvent
from accounts.errors import NotAllowed
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
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
from weights.errors import (
    BranchMoved,
    CommitRefused,
    InvalidName,
    StorageFull,
    UnknownRevision,
    UploadMissing,
    UploadRefused,
)
from weights.integrity import manual_quarantine
from weights.publishing.drafts import commits, operations, queries
from weights.publishing.drafts.commits import (
    AddFile,
    AddObject,
    CopyFile,
    DeleteFile,
    DeleteFolder,
    Operation,
)
from weights.publishing.models import Ref, Revision
from weights.storage import blob_storage
from weights.storage.folder_store import FileStorage, FileUpload
from weights.storage.models import Blob


@pytest.mark.requirement("IN-16")
def test_a_commit_is_a_draft_with_every_file_of_the_branch(
    draft: Checkpoint, release_owner: User
) -> None:
    first = committed(draft, release_owner)
    second = committed(draft, release_owner, AddFile("config.json", b"{}\n"), parent=first.sha)
    assert (second.state, second.parent, second.author) == ("draft", first, release_owner)
    assert paths(second) == ["README.md", "config.json", "model.safetensors"]
    lfs = dict(second.files.values_list("path", "lfs"))
    assert lfs == {"README.md": False, "config.json": False, "model.safetensors": True}
    assert queries.branch_head(draft.pk, "main") == second
    assert not Ref.objects.filter(checkpoint=draft).exists()
    actions = AuditEvent.objects.filter(action="revision.committed")
    assert actions.latest("pk").details["sha"] == second.sha


def test_files_are_copied_and_deleted_as_the_parent_had_them(
    draft: Checkpoint, release_owner: User
) -> None:
    first = committed(
        draft,
        release_owner,
        CARD,
        AddFile("a/one.txt", b"one"),
        AddFile("a/two.txt", b"two"),
        AddFile("ab.txt", b"ab"),
    )
    second = committed(
        draft,
        release_owner,
        DeleteFolder("a/"),
        CopyFile("b/one.txt", "a/one.txt"),
        AddFile("README.md", b"# Another\n"),
    )
    assert paths(second) == ["README.md", "ab.txt", "b/one.txt"]
    third = committed(draft, release_owner, CopyFile("old.md", "README.md", first.sha))
    old = third.files.get(path="old.md")
    assert old.sha256 == hashlib.sha256(CARD.content).hexdigest()
    fourth = committed(draft, release_owner, DeleteFile("old.md"))
    assert fourth.manifest_sha256 == second.manifest_sha256


def test_a_commit_that_changes_nothing_returns_the_head(
    draft: Checkpoint, release_owner: User
) -> None:
    first = committed(draft, release_owner)
    assert committed(draft, release_owner, CARD) == first
    assert draft.revisions.count() == 2  # with the empty one of the creation


@pytest.mark.requirement("IN-16")
def test_the_second_of_two_writers_is_refused(draft: Checkpoint, release_owner: User) -> None:
    first = committed(draft, release_owner)
    second = committed(draft, release_owner, AddFile("a.txt", b"a"), parent=first.sha)
    with pytest.raises(BranchMoved):
        committed(draft, release_owner, AddFile("b.txt", b"b"), parent=first.sha)
    assert queries.branch_head(draft.pk, "main") == second


def test_a_writer_who_is_overtaken_while_its_files_are_linted_is_refused_too(
    draft: Checkpoint, release_owner: User
) -> None:
    first = committed(draft, release_owner)
    lint = commits._findings

    def overtaken(*args: Any) -> list[dict[str, object]]:
        # The moment of the race is fixed by this.
        with mock.patch.object(commits, "_findings", lint):
            committed(draft, release_owner, AddFile("faster.txt", b"x"))
        return lint(*args)

    with (
        # The moment of the race is fixed by this.
        mock.patch.object(commits, "_findings", side_effect=overtaken),
        pytest.raises(BranchMoved),
    ):
        committed(draft, release_owner, AddFile("slower.txt", b"y"), parent=first.sha)
    head = queries.branch_head(draft.pk, "main")
    assert head is not None
    assert "slower.txt" not in paths(head)


def test_a_writer_without_a_parent_is_made_anew_on_the_faster_one(
    draft: Checkpoint, release_owner: User
) -> None:
    committed(draft, release_owner)
    lint = commits._findings
    faster = [AddFile("faster.txt", b"x")]

    def overtaken(*args: Any) -> list[dict[str, object]]:
        if faster:
            operation = faster.pop()
            committed(draft, release_owner, operation)
        return lint(*args)

    # The moment of the race is fixed by this.
    with mock.patch.object(commits, "_findings", side_effect=overtaken):
        head = committed(draft, release_owner, AddFile("slower.txt", b"y"))
    assert paths(head) == ["README.md", "faster.txt", "model.safetensors", "slower.txt"]


@pytest.mark.requirement("IN-17")
def test_an_object_that_the_store_holds_for_others_is_not_present(
    draft: Checkpoint, release_owner: User, gated_tier: Tier
) -> None:
    other = factories.published("acme/other", gated_tier).files.get(path="model.safetensors")
    with pytest.raises(UploadMissing):
        committed(draft, release_owner, AddObject("stolen.bin", other.sha256, other.size))


def test_an_object_that_another_person_uploaded_is_not_present(
    draft: Checkpoint, release_owner: User
) -> None:
    colleague = factories.staff("colleague", Role.RELEASE_OWNER)
    operation = uploaded(draft, colleague)
    with pytest.raises(UploadMissing):
        committed(draft, release_owner, operation)
    committed(draft, colleague, operation)
    committed(draft, release_owner, AddObject("again.bin", operation.sha256, operation.size))


def test_an_object_of_another_size_is_refused(draft: Checkpoint, release_owner: User) -> None:
    operation = uploaded(draft, release_owner)
    with pytest.raises(CommitRefused, match="bytes, not 3"):
        committed(draft, release_owner, AddObject("w.bin", operation.sha256, 3))


@pytest.mark.requirement("IN-16")
@pytest.mark.parametrize(
    ("operation", "error"),
    [
        (AddFile("../up", b"x"), InvalidName),
        (AddFile("/root", b"x"), InvalidName),
        (AddFile("a//b", b"x"), InvalidName),
        (AddFile("a\\b", b"x"), InvalidName),
        (AddFile("nul\0", b"x"), InvalidName),
        (AddFile("\ud800", b"x"), InvalidName),
        (AddFile("\u202etxt", b"x"), InvalidName),
        (AddFile("long/" * 300, b"x"), InvalidName),
        (AddFile("x" * 256, b"x"), InvalidName),
        (AddFile("a:b", b"x"), InvalidName),
        (AddFile("large.txt", bytes(10_000_001)), CommitRefused),
        (AddFile("README.md/inside", b"x"), CommitRefused),
        (CopyFile("copy", "no such file"), CommitRefused),
        (CopyFile("copy", "README.md", "no-such-branch"), CommitRefused),
        (CopyFile("copy", "README.md", "\0"), CommitRefused),
        (DeleteFile("no such file"), CommitRefused),
        (DeleteFolder("no such folder"), CommitRefused),
    ],
)
def test_bad_operations_change_nothing(
    draft: Checkpoint, release_owner: User, operation: Operation, error: type[Exception]
) -> None:
    first = committed(draft, release_owner)
    with pytest.raises(error):
        committed(draft, release_owner, AddFile("good.txt", b"x"), operation)
    assert queries.branch_head(draft.pk, "main") == first


@pytest.mark.parametrize("name", ["a:b", "x" * 256])
def test_a_file_under_a_name_that_is_refused_by_now_is_served_and_can_be_renamed(
    draft: Checkpoint, release_owner: User, client: Client, name: str
) -> None:
    first = committed(draft, release_owner, CARD, AddFile("notes.txt", b"x"))
    first.files.filter(path="notes.txt").update(path=name)
    verify_all()
    token = factories.token(release_owner, "write")
    address = f"/lab/opt/resolve/main/{quote(name)}"
    assert client.get(address, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    second = committed(draft, release_owner, CopyFile("new.txt", name), DeleteFile(name))
    assert paths(second) == ["README.md", "new.txt"]


def test_numbers_and_messages_are_bounded(
    draft: Checkpoint, release_owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*some: Operation, message: str = "x") -> None:
        with pytest.raises(CommitRefused):
            commits.commit(draft, "main", some, by=release_owner, message=message)

    refused()
    refused(CARD, message="x" * 10_001)
    refused(CARD, CARD)
    committed(draft, release_owner)
    refused(DeleteFile("README.md"), DeleteFile("model.safetensors"))
    # Bounds made small: thousands in earnest.
    monkeypatch.setattr(operations, "MOST_OPERATIONS", 1)
    refused(AddFile("a", b""), AddFile("b", b""))
    # A bound made small: a hundred thousand in earnest.
    monkeypatch.setattr(operations, "MOST_FILES", 2)
    refused(AddFile("c", b""))


def test_a_commit_needs_an_existing_branch(draft: Checkpoint, release_owner: User) -> None:
    with pytest.raises(UnknownRevision):
        committed(draft, release_owner, branch="dev")
    with pytest.raises(InvalidName):
        committed(draft, release_owner, branch="refs/heads/dev")


def test_only_owners_of_the_tier_commit(
    draft: Checkpoint, administrator: User, other_person: User
) -> None:
    stranger = factories.staff("stranger", Role.RELEASE_OWNER, factories.tier("x"))
    for person in (administrator, other_person, stranger):
        with pytest.raises(NotAllowed):
            committed(draft, person)


def test_quarantined_bytes_are_refused(draft: Checkpoint, release_owner: User) -> None:
    first = committed(draft, release_owner)
    blob = Blob.objects.get(files__revision=first, files__path="model.safetensors")
    manual_quarantine.hold(blob, "It leaks data.", by=release_owner)
    again = uploaded(draft, release_owner, "again.safetensors")
    with pytest.raises(UploadRefused, match="quarantine: It leaks data"):
        committed(draft, release_owner, again)
    with pytest.raises(CommitRefused, match="quarantine"):
        committed(draft, release_owner, CopyFile("copy.safetensors", "model.safetensors"))
    cleaned = committed(draft, release_owner, DeleteFile("model.safetensors"))
    assert paths(cleaned) == ["README.md"]


def test_findings_and_licence_are_recorded_with_the_commit(
    draft: Checkpoint, release_owner: User
) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    card = AddFile("README.md", b"---\nlicense: mit\n---\n# A model\n")
    revision = committed(draft, release_owner, card, AddFile("model.bin", pointer))
    assert [one["code"] for one in revision.findings or []] == ["lfs_pointer"]
    assert revision.licence == {"code": "mit"}


def test_unchanged_small_files_are_not_read_again(
    draft: Checkpoint, release_owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    notes = [AddFile(f"notes{n}.txt", b"%d" % n * 100) for n in range(3)]
    committed(draft, release_owner, CARD, *notes)
    read: list[str] = []
    excerpt = FileStorage.excerpt

    def recorded(self: FileStorage, sha256: str, *args: Any) -> bytes:
        read.append(sha256)
        return excerpt(self, sha256, *args)

    # Records the reads and lets them pass.
    monkeypatch.setattr(FileStorage, "excerpt", recorded)
    second = committed(draft, release_owner, AddFile("model.bin", pointer))
    assert [one["code"] for one in second.findings or []] == ["lfs_pointer"]
    contents = [pointer, CARD.content]  # the lint checks the links of every card
    assert read == [hashlib.sha256(content).hexdigest() for content in contents]
    third = committed(draft, release_owner, AddFile("other.txt", b"o"))
    assert [one["code"] for one in third.findings or []] == ["lfs_pointer"]


def test_a_lost_card_stops_no_commit(draft: Checkpoint, release_owner: User) -> None:
    card = AddFile("README.md", b"---\nlicense: mit\n---\n# A model\n")
    first = committed(draft, release_owner, card)
    blob_storage().delete(first.files.get().sha256)
    second = committed(draft, release_owner, AddFile("config.json", b"{}\n"))
    assert second.licence == {"code": "mit"}


def test_drafts_are_verified_and_stay_drafts(draft: Checkpoint, release_owner: User) -> None:
    revision = committed(draft, release_owner)
    verify_all()
    revision.refresh_from_db()
    states = set(revision.files.values_list("blob__state", flat=True))
    assert (revision.state, states) == ("draft", {"verified"})


def test_refused_bytes_are_not_served_and_the_draft_says_why(
    draft: Checkpoint, release_owner: User
) -> None:
    evil = b"cos\nsystem\n(S'true'\ntR."
    revision = committed(draft, release_owner, uploaded(draft, release_owner, "x.pkl", evil))
    verify_all()
    revision.refresh_from_db()
    assert revision.state == Revision.State.DRAFT
    assert revision.files.get().blob.state == Blob.State.QUARANTINED


def test_a_full_store_leaves_the_branch_as_it_was(
    draft: Checkpoint, release_owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = committed(draft, release_owner)

    def full(*args: object) -> None:
        raise StorageFull("the disk is full")

    # A disk cannot be filled in a test.
    monkeypatch.setattr(FileUpload, "write", full)
    with pytest.raises(StorageFull):
        committed(draft, release_owner, AddFile("a.txt", b"a"))
    assert queries.branch_head(draft.pk, "main") == first


@pytest.mark.slow
def test_a_commit_takes_few_statements_whatever_its_size(
    draft: Checkpoint,
    release_owner: User,
    django_assert_max_num_queries: Callable[..., object],
) -> None:
    some = [uploaded(draft, release_owner, f"w{n}.bin", WEIGHTS + bytes(n)) for n in range(50)]
    with django_assert_max_num_queries(45):  # type: ignore[attr-defined]
        committed(draft, release_owner, *some)
