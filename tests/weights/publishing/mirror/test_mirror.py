"""Mirroring a correct hub: the same files, the commit, and no byte twice."""

import hashlib
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.tiers.models import Tier
from tests.support.servers.source_hub import COMMIT, FILES, Lie, Request, SourceHub
from tests.weights.publishing.mirror.conftest import Mirror
from weights.catalogue.models import Checkpoint
from weights.errors import FindingsRefused, PublishRefused, SourceUnusable, UnknownTier
from weights.integrity import verification
from weights.publishing.mirror.models import RevisionSource
from weights.publishing.models import Revision
from weights.storage import blob_storage
from weights.storage.models import Blob

WEIGHTS = "weights.bin.txt"
CONTENT = FILES[WEIGHTS]


def verify_all() -> None:
    for blob in Blob.objects.all():
        verification.verify(blob.pk)


def left_in_staging(store: Path) -> list[Path]:
    return list((store / ".uploads").iterdir())


@pytest.mark.slow
def test_a_mirror_has_the_files_of_its_source(hub: SourceHub, mirror: Mirror, store: Path) -> None:
    hub.page_size = 2
    revision = mirror()
    assert revision.state == Revision.State.PENDING
    verify_all()
    assert Revision.objects.visible().get() == revision
    stored = {file.path: file for file in revision.files.select_related("blob")}
    assert {
        path: blob_storage().read(file.sha256, 0, file.size) for path, file in stored.items()
    } == FILES
    assert revision.licence == {"code": "apache-2.0"}
    assert revision.message == "Mirror of lab/model"
    assert left_in_staging(store) == []


@pytest.mark.requirement("IN-12")
def test_everything_is_fetched_at_the_commit(hub: SourceHub, mirror: Mirror) -> None:
    mirror(revision="refs/pr/1")
    paths = [one.path for one in hub.requests]
    assert paths[0].startswith("/api/models/lab/model/revision/refs%2Fpr%2F1")
    assert all(COMMIT in path for path in paths[1:])


def test_the_source_is_recorded_with_its_event(hub: SourceHub, mirror: Mirror) -> None:
    revision = mirror()
    source = RevisionSource.objects.get()
    assert (source.revision, source.hub, source.repo_id, source.commit) == (
        *(revision, hub.url, "lab/model"),
        COMMIT,
    )
    event = AuditEvent.objects.get(action="revision.mirrored")
    assert event.details["commit"] == COMMIT
    assert event.details["hub"] == hub.url


@pytest.mark.requirement("IN-14")
def test_the_same_mirror_again_is_the_same_revision_and_fetches_nothing(
    hub: SourceHub, mirror: Mirror
) -> None:
    first = mirror()
    hub.requests.clear()
    assert mirror() == first
    assert all(one.path.startswith("/api/") for one in hub.requests)
    assert RevisionSource.objects.count() == 1
    assert AuditEvent.objects.filter(action="revision.mirrored").count() == 1


def test_a_later_commit_fetches_only_what_changed(hub: SourceHub, mirror: Mirror) -> None:
    first = mirror()
    hub.requests.clear()
    hub.commit = "d" + "0" * 39
    hub.files["config.json"] = b'{"model_type": "llama"}\n'
    second = mirror()
    assert second.parent == first
    assert not hub.requested(WEIGHTS)
    assert hub.requested("config.json")


@pytest.mark.slow
def test_versions_and_api_show_the_source(hub: SourceHub, mirror: Mirror, client: Client) -> None:
    mirror()
    verify_all()
    page = client.get("/acme/copy/commits/main").content.decode()
    assert f'href="{hub.url}/lab/model/tree/{COMMIT}"' in page
    answer = client.get("/api/v1/checkpoints/acme/copy/revisions").json()
    assert answer[0]["sources"] == [{"hub": hub.url, "repo": "lab/model", "commit": COMMIT}]


# -- interrupted --------------------------------------------------------------------------


def breaks_off(at: int) -> Lie:
    """Sends `at` bytes of the first request, and is honest afterwards."""
    broken: list[Request] = []

    def lie(request: Request) -> None:
        if broken:
            request.honest()
        else:
            broken.append(request)
            request.send(200, CONTENT[:at], length=str(len(CONTENT)))

    return lie


@pytest.mark.requirement("IN-14")
def test_a_broken_transfer_continues_where_it_ended(hub: SourceHub, mirror: Mirror) -> None:
    hub.lie_about(WEIGHTS, breaks_off(2_000_000))
    mirror()
    assert [one.headers["Range"] for one in hub.requested(WEIGHTS)] == [None, "bytes=2000000-"]


def test_a_server_without_ranges_sends_the_file_again(hub: SourceHub, mirror: Mirror) -> None:
    sent = []

    def whole(request: Request) -> None:
        sent.append(request)
        body = CONTENT[:1_500_000] if len(sent) == 1 else CONTENT
        request.send(200, body, length=str(len(CONTENT)))

    hub.lie_about(WEIGHTS, whole)
    assert mirror().total_bytes == sum(len(content) for content in FILES.values())
    assert len(sent) == 2


def partial_of(store: Path, hub: SourceHub, content: bytes) -> None:
    """Leave a partial file as a killed run does."""
    name = hashlib.sha256(f"{hub.url} lab/model {COMMIT}".encode()).hexdigest()[:32]
    path = store / ".uploads" / f"mirror-{name}-{hashlib.sha256(CONTENT).hexdigest()}"
    path.write_bytes(content)


def test_a_later_run_continues_a_partial_file(hub: SourceHub, mirror: Mirror, store: Path) -> None:
    partial_of(store, hub, CONTENT[:1234])
    mirror()
    assert [one.headers["Range"] for one in hub.requested(WEIGHTS)] == ["bytes=1234-"]


@pytest.mark.parametrize("content", [bytes(1234), CONTENT + b"x", bytes(len(CONTENT))])
def test_a_partial_file_with_wrong_bytes_is_fetched_anew(
    hub: SourceHub, mirror: Mirror, store: Path, content: bytes
) -> None:
    partial_of(store, hub, content)
    mirror()
    assert hub.requested(WEIGHTS)[-1].headers["Range"] is None
    assert Blob.objects.filter(sha256=hashlib.sha256(CONTENT).hexdigest()).exists()


def test_files_of_an_interrupted_run_are_not_fetched_again(hub: SourceHub, mirror: Mirror) -> None:
    hub.lie_about(WEIGHTS, lambda request: request.send(404, b""))
    with pytest.raises(SourceUnusable):
        mirror()
    hub.lies.clear()
    hub.requests.clear()
    mirror()
    fetched = [one.path for one in hub.requests if "/resolve/" in one.path]
    assert fetched == [f"/lab/model/resolve/{COMMIT}/{WEIGHTS}"]


# -- refused before the weights -----------------------------------------------------------


def test_a_licence_that_contradicts_the_tier_is_refused_before_the_weights(
    hub: SourceHub, mirror: Mirror, gated_tier: Tier
) -> None:
    with pytest.raises(PublishRefused, match=r"README\.md states the licence apache-2\.0"):
        mirror(tier=gated_tier.slug)
    assert not hub.requested(WEIGHTS)


def test_a_licence_that_no_card_states_is_named_by_the_option(
    hub: SourceHub, mirror: Mirror
) -> None:
    del hub.files["README.md"]
    assert mirror(licence="MIT").checkpoint.licence_code == "mit"


def test_a_missing_shard_is_refused_before_the_weights(hub: SourceHub, mirror: Mirror) -> None:
    hub.files["model-00001-of-00002.bin"] = b"\x80shard"
    with pytest.raises(FindingsRefused, match="1 shard is missing"):
        mirror()
    assert not hub.requested(WEIGHTS)
    assert mirror(accept_findings=True).findings


def test_an_unknown_tier_is_refused(mirror: Mirror) -> None:
    with pytest.raises(UnknownTier):
        mirror(tier="nope")
    assert not Checkpoint.objects.exists()


def test_a_published_md5_list_is_checked_and_kept(hub: SourceHub, mirror: Mirror) -> None:
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    hub.files["sums.csv"] = f"shard,md5sum\n{WEIGHTS},{md5}\n".encode()
    assert mirror().files.get(path=WEIGHTS).md5 == md5
    hub.commit = "d" + "0" * 39
    hub.files["sums.csv"] = f"shard,md5sum\n{WEIGHTS},{'0' * 32}\n".encode()
    with pytest.raises(SourceUnusable, match="but the published list says 0000"):
        mirror()


def test_a_bucket_needs_a_folder_for_partial_files(
    hub: SourceHub, mirror: Mirror, s3_store: object, tmp_path: Path, settings: Settings
) -> None:
    with pytest.raises(SourceUnusable, match="name a folder for partial files with --staging"):
        mirror()
    folder = tmp_path / "staging"
    with pytest.raises(SourceUnusable, match="there is no folder"):
        mirror(staging=folder)
    folder.mkdir()
    revision = mirror(staging=folder)
    file = revision.files.select_related("blob").get(path=WEIGHTS)
    assert blob_storage().read(file.sha256, 0, file.size) == CONTENT
    assert list(folder.iterdir()) == []
