"""On S3, clients send xorbs directly to the bucket, and the portal checks them there."""

import pytest
import requests

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import xet
from tests.weights.uploads.xet.conftest import send_shard, send_xorb
from weights.catalogue.models import Checkpoint
from weights.errors import BlobMissing
from weights.storage import blob_storage
from weights.uploads.presence import present
from weights.uploads.xet import xorbs
from weights.uploads.xet.errors import MalformedXet
from weights.uploads.xet.models import StagedXorb
from weights.uploads.xet.staging import xorb_staging
from weights.uploads.xet.xorbs import Grant, Sender

PAIR = xet.Xorb((b"first chunk", b"second chunk"))


@pytest.fixture
def bucket_sender(s3_store: str, gated_tier: Tier, release_owner: User) -> Sender:
    draft = Checkpoint.objects.create(org="acme", name="draft", tier=gated_tier, private=True)
    return Sender(release_owner, draft)


def grant(sender: Sender, name: str, length: int) -> Grant:
    granted = xorbs.grant(sender, name, length)
    assert granted is not None
    return granted


def put(granted: Grant, body: bytes) -> int:
    return requests.put(granted.url, data=body, timeout=30).status_code


def test_a_recorded_upload_through_the_bucket_is_rebuilt(bucket_sender: Sender) -> None:
    granted = grant(bucket_sender, xet.XORB_HASH, len(xet.XORB))
    assert put(granted, xet.XORB) == 200
    assert not xorbs.has(bucket_sender, xet.XORB_HASH)
    xorbs.commit(bucket_sender, xet.XORB_HASH, granted.name)
    xorbs.commit(bucket_sender, xet.XORB_HASH, granted.name)
    names = send_shard(bucket_sender, xet.SHARD)

    files = xet.recorded_files()
    assert present(bucket_sender.checkpoint, bucket_sender.person, names) == xet.sha256s(files)
    for sha256, size in xet.sha256s(files).items():
        assert blob_storage().size(sha256) == size


def test_a_xorb_sent_to_the_portal_is_staged_in_the_bucket(bucket_sender: Sender) -> None:
    assert send_xorb(bucket_sender, PAIR)
    row = bucket_sender.xorbs().get()
    with xorb_staging().open(row.staging, 0, row.size) as stream:
        assert stream.read(1000) == PAIR.body
    (name,) = send_shard(bucket_sender, xet.shard(xet.file_block((PAIR, 1, 2))))
    with blob_storage().open(name) as stored:
        assert stored.read() == b"second chunk"


@pytest.mark.parametrize("change", [-1, 1])
def test_the_bucket_refuses_another_length_than_the_granted_one(
    bucket_sender: Sender, change: int
) -> None:
    granted = grant(bucket_sender, PAIR.name, len(PAIR.body))
    assert put(granted, (PAIR.body + b"x")[: len(PAIR.body) + change]) == 403


def test_a_grant_without_an_object_is_missing_and_may_be_renewed(bucket_sender: Sender) -> None:
    granted = grant(bucket_sender, PAIR.name, len(PAIR.body))
    with pytest.raises(BlobMissing):
        xorbs.commit(bucket_sender, PAIR.name, granted.name)
    again = grant(bucket_sender, PAIR.name, len(PAIR.body))
    with pytest.raises(BlobMissing, match="request another"):
        xorbs.commit(bucket_sender, PAIR.name, granted.name)
    put(again, PAIR.body)
    xorbs.commit(bucket_sender, PAIR.name, again.name)
    assert xorbs.has(bucket_sender, PAIR.name)


def test_a_renewed_grant_deletes_the_bytes_of_the_earlier_one(bucket_sender: Sender) -> None:
    granted = grant(bucket_sender, PAIR.name, len(PAIR.body))
    put(granted, PAIR.body)
    grant(bucket_sender, PAIR.name, len(PAIR.body))
    with pytest.raises(BlobMissing), xorb_staging().open(granted.name, 0, 10):
        pass


def test_other_bytes_in_the_bucket_are_refused_and_deleted(bucket_sender: Sender) -> None:
    granted = grant(bucket_sender, PAIR.name, len(PAIR.body))
    put(granted, PAIR.body.replace(b"first", b"other"))
    with pytest.raises(MalformedXet, match="has the hash"):
        xorbs.commit(bucket_sender, PAIR.name, granted.name)

    assert not StagedXorb.objects.exists()
    with pytest.raises(BlobMissing), xorb_staging().open(granted.name, 0, 10):
        pass


def test_a_grant_is_bound_to_its_sender_and_its_xorb(
    bucket_sender: Sender, other_person: User
) -> None:
    granted = grant(bucket_sender, PAIR.name, len(PAIR.body))
    put(granted, PAIR.body)
    with pytest.raises(BlobMissing):
        xorbs.commit(bucket_sender._replace(person=other_person), PAIR.name, granted.name)
    with pytest.raises(BlobMissing):
        xorbs.commit(bucket_sender, xet.XORB_HASH, granted.name)


def test_swept_xorbs_leave_the_bucket(bucket_sender: Sender) -> None:
    send_xorb(bucket_sender, PAIR)
    name = bucket_sender.xorbs().get().staging
    StagedXorb.objects.update(created_at="2026-01-01T00:00:00Z")

    assert xorbs.sweep() == 1
    with pytest.raises(BlobMissing), xorb_staging().open(name, 0, 10):
        pass


def test_a_stream_read_in_the_bucket_ends_at_its_range(bucket_sender: Sender) -> None:
    send_xorb(bucket_sender, PAIR)
    name = bucket_sender.xorbs().get().staging
    with xorb_staging().open(name, 8, 5) as stream:
        assert stream.read(100) == b"first"
