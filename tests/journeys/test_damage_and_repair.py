"""A stored file is damaged: scrub, quarantine, refusals, mails, the owner's page, repair.

With a real web server and worker, on files and on S3.
"""

import csv
import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from accounts.audit.models import AuditEvent
from accounts.mail.models import OutgoingMail
from accounts.roles.permissions import Role
from accounts.users.models import User
from tests.support import factories
from tests.support.damage import flip_unseen
from tests.support.http.visitor import Visitor
from tests.support.servers import s3
from tests.support.servers.live import Portal
from tests.support.servers.services import wait_until
from weights.storage import blob_storage
from weights.storage.models import Blob
from weights.storage.protocol import blob_key

REPO = "acme/shards"
SHARD, OTHER = "model-part-0-shard0.bin", "README.md"
FILES = {SHARD: bytes(range(256)) * 400, OTHER: b"# Shards\n"}


@pytest.fixture(params=["files", "s3"])
def portal(
    request: pytest.FixtureRequest, start_portal: Callable[..., Portal], open_tier: object
) -> Portal:
    request.getfixturevalue("store" if request.param == "files" else "s3_store")
    return start_portal(worker=True)


def damage(blob: Blob) -> None:
    """Flip one bit; on files without a change of times, as from a failing disk."""
    if blob_storage().is_local:
        flip_unseen(blob, 70_000)
        return
    content = bytearray(FILES[SHARD])
    content[70_000] ^= 0x20
    store = blob_storage()
    bucket, prefix = store.bucket, store.prefix  # type: ignore[attr-defined]
    endpoint = os.environ.get("S3_ENDPOINT_URL") or store.client.meta.endpoint_url  # type: ignore[attr-defined]
    key = f"{prefix}{blob_key(blob.sha256)}"
    s3.Store(endpoint).client().put_object(Bucket=bucket, Key=key, Body=bytes(content))


def publish(portal: Portal, folder: Path) -> str:
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    done = portal.manage("publish", str(folder), REPO, "--tier", "open", "--wait")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def mailed(kind: str) -> list[OutgoingMail]:
    return list(OutgoingMail.objects.filter(kind=kind).order_by("to"))


def shard_urls(portal: Portal, sha: str) -> list[str]:
    """URLs of the shard: resolve by branch and by id, a file link, a checkpoint link."""
    file_link = portal.manage("file_link", "reader", REPO, SHARD).stdout.strip()
    folder = portal.manage("checkpoint_link", "reader", REPO).stdout.strip()
    assert file_link, folder
    resolve = f"{portal.url}/{REPO}/resolve"
    return [f"{resolve}/main/{SHARD}", f"{resolve}/{sha}/{SHARD}", file_link, f"{folder}{SHARD}"]


def refusals(addresses: list[str]) -> set[tuple[int, str | None]]:
    """Statuses and refusal codes of HEAD, GET and a range at all URLs."""
    answers = [
        requests.request(method, address, headers=headers, allow_redirects=False, timeout=30)
        for address in addresses
        for method, headers in (("HEAD", {}), ("GET", {}), ("GET", {"Range": "bytes=5-9"}))
    ]
    return {(one.status_code, one.headers.get("X-Refusal-Code")) for one in answers}


def assert_the_reader_is_told(portal: Portal, reader: User) -> str:
    """One mail names the file and both hashes; returns the URL of the notice in it."""
    [mail] = mailed("recall_opened")
    blob = Blob.objects.get(files__path=SHARD)
    found = blob.runs.filter(result="mismatch")[0].found_sha256
    assert mail.to == reader.email
    for told in (SHARD, blob.sha256, found):
        assert told in mail.text
    notice = re.search(rf"{re.escape(portal.url)}/recalls/\S+", mail.text)
    assert notice is not None
    return notice[0]


def assert_the_owner_sees_who_fetched_it(portal: Portal, owner: User, reader: User) -> None:
    """The recall's page and its CSV list the reader, and the export is audited."""
    desk = Visitor(portal.url)
    desk.visit("/accounts/login/?next=/admin/")
    desk.submit("Sign in", login="owner", password=factories.PASSWORD)
    recall = Blob.objects.get(files__path=SHARD).recalls.get()
    page = desk.visit(f"/admin/weights/recall/{recall.pk}/change/")
    reach = "1 person downloaded it in 2 requests, 1 of them anonymous"
    assert reach in " ".join(page.split())
    desk.submit("Download the list as CSV")
    [line] = csv.DictReader(io.StringIO(desk.page.text))
    assert (line["person"], line["address"]) == ("reader", reader.email)
    exported = AuditEvent.objects.get(action="recall.fetchers_exported")
    assert exported.actor_id == owner.public_id


@pytest.mark.one_database
def test_a_flipped_bit_is_found_quarantined_recalled_and_repaired(
    portal: Portal, tmp_path: Path
) -> None:
    owner, reader = factories.staff("owner", Role.RELEASE_OWNER), factories.person("reader")
    sha = publish(portal, tmp_path / "first")
    addresses = shard_urls(portal, sha)
    token = {"Authorization": f"Bearer {factories.token(reader)}"}
    got = requests.get(addresses[0], headers=token, timeout=30)
    assert got.content == FILES[SHARD]
    requests.get(addresses[0], timeout=30)  # an anonymous download

    damage(Blob.objects.get(files__path=SHARD))
    done = portal.manage("scrub", "--all")
    assert done.returncode == 1
    assert f"({REPO}/{SHARD})" in done.stderr
    assert refusals(addresses) == {(403, "file_quarantined")}
    other = requests.get(f"{portal.url}/{REPO}/resolve/main/{OTHER}", timeout=30)
    assert other.content == FILES[OTHER]

    wait_until(lambda: len(mailed("recall_opened")) == 1, "the mail of the recall")
    notice = assert_the_reader_is_told(portal, reader)
    visitor = Visitor(portal.url)
    assert "Open: nobody can download it" in visitor.visit(notice)
    assert reader.username not in visitor.page.text
    for page in (f"/{REPO}", f"/{REPO}/tree/main", f"/{REPO}/tree/{sha}"):
        assert "uarantine" in visitor.visit(page)
    assert_the_owner_sees_who_fetched_it(portal, owner, reader)

    assert publish(portal, tmp_path / "again") == sha
    wait_until(lambda: len(mailed("recall_repaired")) == 1, "the mail of the repair")
    assert requests.get(addresses[3], timeout=30).content == FILES[SHARD]
    assert "Repaired" in visitor.visit(notice)
    assert portal.manage("scrub", "--report").returncode == 0
    assert len(mailed("recall_opened")) == len(mailed("recall_repaired")) == 1
    actions = AuditEvent.objects.order_by("pk").values_list("action", flat=True)
    story = ["blob.doubted", "blob.quarantined", "recall.opened", "recall.repaired"]
    assert [one for one in dict.fromkeys(actions) if one in story] == story
