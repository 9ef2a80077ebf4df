"""Uploads with the Hub's own client and with raw requests, to running portals."""

import hashlib
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request

import pytest
from huggingface_hub import CommitOperationAdd, lfs
from huggingface_hub.errors import HfHubHTTPError
from pytest_django import Settings

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.conftest import MISSING
from tests.support import disks, factories
from tests.support.servers import services as servers
from tests.support.servers.front import Front, ask
from tests.support.servers.live import Portal
from tests.support.servers.proc import children
from tests.weights.hub_api.publishing.conftest import Publisher
from tests.weights.uploads.conftest import Content
from weights.catalogue.models import Checkpoint
from weights.publishing.drafts.checkpoints import create_draft
from weights.storage import blob_storage
from weights.uploads import services
from weights.uploads.models import Upload
from weights.uploads.multipart import PART_SIZE
from weights.uploads.presence import present

pytestmark = [
    pytest.mark.one_database,
    # The Hub's client calls its HTTP library in a way that is deprecated there.
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]

Send = Callable[..., None]


@pytest.fixture
def send(checkpoint: Checkpoint, release_owner: User) -> Send:
    """Send a file to the draft with the functions of the Hub's client."""
    token = factories.token(release_owner, "write")

    def by_client(url: str, content: Path | bytes) -> None:
        operation = CommitOperationAdd("model.safetensors", content)
        actions, errors, *_ = lfs.post_lfs_batch_info(
            [operation.upload_info],
            token=token,
            repo_type="model",
            repo_id=checkpoint.repo_id,
            endpoint=url,
        )
        assert errors == []
        lfs.lfs_upload(operation, actions[0], token=token, endpoint=url)

    return by_client


@pytest.fixture
def in_two_parts(tmp_path: Path) -> Path:
    """A file that is one byte longer than a part."""
    path = tmp_path / "model.safetensors"
    block = bytes(range(256)) * 4096
    with path.open("wb") as stream:
        for _ in range(PART_SIZE // len(block)):
            stream.write(block)
        stream.write(b"!")
    return path


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def address(portal: Portal, checkpoint: Checkpoint, person: User, content: Content) -> str:
    """A signed URL for a whole object."""
    body = b'{"operation": "upload", "objects": [{"oid": "%s", "size": %d}]}'
    status, _, answer = ask(
        Request(
            f"{portal.url}/{checkpoint.repo_id}.git/info/lfs/objects/batch",
            data=body % (content.sha256.encode(), content.size),
            headers={"Authorization": f"Bearer {factories.token(person, 'write')}"},
        )
    )
    assert status == 200, answer
    found = re.search(rb'"upload": {"href": "([^"]+)"', answer)
    assert found is not None
    return found[1].decode()


def raw_put(url: str, length: int | None, body: bytes, *, close: bool = False) -> bytes:
    """PUT with a Content-Length of one's own; returns the response."""
    parts = urlsplit(url)
    how = f"Content-Length: {length}" if length is not None else "Transfer-Encoding: chunked"
    head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n{how}\r\n\r\n"
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as client:
        client.sendall(head.encode() + body)
        if close:
            client.shutdown(socket.SHUT_WR)
        return client.recv(65536)


def files(store: Path) -> list[str]:
    return [path.name for path in store.rglob("*") if path.is_file()]


def test_the_hubs_client_sends_objects_whole_and_in_parts_to_files(
    send: Send,
    portal_server: Portal,
    checkpoint: Checkpoint,
    release_owner: User,
    in_two_parts: Path,
    store: Path,
) -> None:
    small = Content(b"small" * 1000)
    send(portal_server.url, small.data)
    send(portal_server.url, in_two_parts)
    large = sha256_of(in_two_parts)

    wanted = [small.sha256, large]
    found = services.wait_for(checkpoint, release_owner, wanted)
    assert found == {small.sha256: small.size, large: PART_SIZE + 1}
    servers.wait_until(lambda: sorted(files(store)) == sorted(wanted), "the end of staging")
    place = blob_storage().local_path(large)
    assert place is not None
    assert sha256_of(place) == large
    send(portal_server.url, in_two_parts)  # present: nothing is sent


def test_the_hubs_client_sends_parts_straight_to_the_bucket(
    s3_store: str,
    send: Send,
    start_portal: Callable[..., Portal],
    checkpoint: Checkpoint,
    release_owner: User,
    in_two_parts: Path,
) -> None:
    portal = start_portal(worker=True)
    send(portal.url, in_two_parts)
    send(portal.url, b"small" * 1000)
    large = sha256_of(in_two_parts)

    assert services.wait_for(checkpoint, release_owner, [large]) == {large: PART_SIZE + 1}
    assert len(list(blob_storage().list_objects())) == 2


@pytest.mark.needs("nginx")
def test_uploads_pass_nginx_to_the_portal_and_to_the_bucket(
    s3_store: str,
    send: Send,
    start_front: Callable[..., Front],
    checkpoint: Checkpoint,
    release_owner: User,
    in_two_parts: Path,
) -> None:
    front = start_front()
    send(front.url, in_two_parts)
    send(front.url, b"small" * 1_000_000)

    states = dict(Upload.objects.values_list("size", "state"))
    assert states == {PART_SIZE + 1: "received", 5_000_000: "complete"}
    for method in ("PUT", "DELETE", "POST"):
        status, _, _ = ask(Request(f"{front.store_url}/bucket/key", data=b"", method=method))
        assert status == 403
    # A commit of small files reaches the portal, which knows no branch of this checkpoint.
    commit = f"{front.url}/api/models/{checkpoint.repo_id}/commit/main"
    token = factories.token(release_owner, "write")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
    status, _, body = ask(Request(commit, data=b"{}\n" * 1_000_000, headers=headers))
    assert (status, b'"code"' in body) == (404, True)
    assert "claim=" not in front.log.read_text()


@pytest.mark.requirement("UP-2")
def test_a_put_of_another_length_or_without_one_is_refused_and_leaves_nothing(
    portal_server: Portal,
    checkpoint: Checkpoint,
    release_owner: User,
    store: Path,
    content: Content,
) -> None:
    url = address(portal_server, checkpoint, release_owner, content)

    cut_off = raw_put(url, content.size, content.data[:-1], close=True)
    assert b" 400 " in cut_off
    assert b"ended after 6999 of 7000 bytes" in cut_off
    for length in (content.size - 1, content.size + 1, 10**18):
        assert b"send exactly 7000 bytes" in raw_put(url, length, content.data)
    for length in (-1, 10**30):
        assert b" 400 " in raw_put(url, length, content.data)
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (content.size, content.data)
    assert b"send exactly 7000 bytes" in raw_put(url, None, chunked)
    # What follows the stated length is not part of the object.
    assert b" 200 " in raw_put(url, content.size, content.data + b"GET /more HTTP/1.1\r\n\r\n")
    assert present(checkpoint, release_owner, [content.sha256])
    assert files(store) == [content.sha256]


def test_one_object_sent_eight_times_at_once_is_stored_once(
    portal_server: Portal,
    checkpoint: Checkpoint,
    release_owner: User,
    store: Path,
) -> None:
    content = Content(b"weights" * 1_000_000)
    urls = [address(portal_server, checkpoint, release_owner, content) for _ in range(8)]

    def one(url: str) -> int:
        return ask(Request(url, data=content.data, method="PUT"))[0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, urls)) == [200] * 8
    assert files(store) == [content.sha256]
    assert Upload.objects.get().state == Upload.State.COMPLETE


@pytest.mark.requirement("UP-8")
def test_memory_of_the_portal_does_not_grow_with_an_object(
    portal_server: Portal, checkpoint: Checkpoint, release_owner: User
) -> None:
    def peak() -> int:
        """The highest resident memory of the web workers so far, in KiB."""
        workers = children(portal_server.processes["web"].pid)
        status = [Path(f"/proc/{pid}/status").read_text() for pid in workers]
        return max(int(re.search(r"VmHWM:\s+(\d+)", text)[1]) for text in status)  # type: ignore[index]

    small, large = Content(b"s" * 1_000_000), Content(b"weights." * 25_000_000)
    for content in (small, large):
        url = address(portal_server, checkpoint, release_owner, content)
        before = peak()
        assert ask(Request(url, data=content.data, method="PUT"))[0] == 200
    assert peak() - before < 16 * 1024


@pytest.fixture
def disk(settings: Settings) -> Iterator[disks.Disk]:
    """A disk of 32 MiB that holds the store."""
    if why := disks.why_none():
        pytest.skip(f"{MISSING}: {why}")
    with disks.small(32 << 20) as disk:
        settings.WEIGHTS_STORAGE = f"file://{disk.folder}/blobs"
        blob_storage().create()
        yield disk


@pytest.mark.requirement("UP-6")
def test_a_full_disk_is_507_leaves_nothing_and_takes_the_object_once_there_is_room(
    disk: disks.Disk,
    start_portal: Callable[..., Portal],
    send: Send,
    checkpoint: Checkpoint,
    release_owner: User,
) -> None:
    portal = start_portal(worker=True)
    store = disk.folder / "blobs"
    with pytest.raises(HfHubHTTPError, match="507") as refused:
        send(portal.url, b"x" * (40 << 20))
    assert "is full" in str(refused.value)
    assert files(store) == []
    content = Content(b"y" * (20 << 20))
    disk.fill()
    with pytest.raises(HfHubHTTPError, match="507"):
        send(portal.url, content.data)
    assert files(store) == []
    disk.free()
    send(portal.url, content.data)
    assert present(checkpoint, release_owner, [content.sha256])


@pytest.mark.requirement("UP-6")
def test_more_than_the_quota_is_413_with_the_reason(
    store: Path, start_portal: Callable[..., Portal], send: Send
) -> None:
    portal = start_portal(settings_={"UPLOAD_QUOTA_GB": "1"})
    Upload.objects.bulk_create(
        Upload(
            person=User.objects.get(username="owner"),
            checkpoint=Checkpoint.objects.get(),
            sha256=f"{number:064x}",
            size=10**9 // 2,
        )
        for number in range(2)
    )
    with pytest.raises(HfHubHTTPError, match="413") as refused:
        send(portal.url, b"x" * 1000)
    assert "would exceed your quota of 1.0 GB" in str(refused.value)


UPLOAD = """
import sys
from huggingface_hub import HfApi
HfApi().upload_folder(repo_id="acme/new", folder_path=sys.argv[1])
"""


def test_a_client_that_is_killed_leaves_no_revision_and_goes_on_with_what_it_has_sent(
    portal_server: Portal, gated_tier: Tier, release_owner: User, tmp_path: Path
) -> None:
    new, _ = create_draft("acme", "new", by=release_owner)
    folder = tmp_path / "model"
    folder.mkdir()
    for number in range(24):
        (folder / f"{number}.bin").write_bytes(bytes([number]) * 8_000_000)
    token = factories.token(release_owner, "write")
    client = Publisher(portal_server.url, token, tmp_path)
    process = client.start(sys.executable, "-c", UPLOAD, str(folder))
    complete = Upload.objects.filter(state=Upload.State.COMPLETE)
    servers.wait_until(complete.exists, "the first object", pause=0.001)
    process.kill()
    process.communicate()
    servers.wait_until(lambda: _is_quiet(portal_server), "the end of the requests")
    sent = dict(complete.values_list("sha256", "completed_at"))
    assert 0 < len(sent) < 24
    assert new.revisions.count() == 1, "the empty one"

    done = client.run(sys.executable, "-c", UPLOAD, str(folder))
    assert done.returncode == 0, done.stderr
    assert new.revisions.latest("pk").file_count == 24
    again = dict(complete.filter(sha256__in=sent).values_list("sha256", "completed_at"))
    assert again == sent, "these were not sent again"


def _is_quiet(portal: Portal) -> bool:
    """True if the number of stored objects did not change for a moment."""
    before = Upload.objects.filter(state=Upload.State.COMPLETE).count()
    time.sleep(0.5)
    return Upload.objects.filter(state=Upload.State.COMPLETE).count() == before
