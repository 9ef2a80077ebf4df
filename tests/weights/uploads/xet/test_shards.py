"""Shards: files are rebuilt exactly from the sender's own xorbs, or refused."""

import hashlib
import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from accounts.users.models import User
from tests.support import factories, xet
from tests.weights.uploads.xet.conftest import Send, send_recorded, send_shard, send_xorb
from weights.errors import UploadRefused
from weights.storage import blob_storage
from weights.uploads import multipart
from weights.uploads.models import Upload
from weights.uploads.presence import present
from weights.uploads.xet import shards, xorb_format, xorbs
from weights.uploads.xet.errors import MalformedXet, XorbUnknown
from weights.uploads.xet.models import Recipe, StagedXorb
from weights.uploads.xet.xorbs import Sender

PAIR = xet.Xorb((b"first chunk", b"second chunk"))
OTHER = xet.Xorb((b"of another xorb",))
WHOLE = b"".join(PAIR.contents)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def stored(name: str) -> bytes:
    with blob_storage().open(name) as stream:
        return stream.read()


def reason(sender: Sender) -> str:
    """Why the only upload was refused."""
    upload = Upload.objects.get(person=sender.person)
    assert upload.state == Upload.State.REFUSED
    return upload.reason


def test_a_recorded_upload_is_rebuilt_byte_for_byte(sender: Sender) -> None:
    names = send_recorded(sender)

    files = xet.recorded_files()
    assert present(sender.checkpoint, sender.person, names) == xet.sha256s(files)
    assert all(stored(sha256(content)) == content for content in files.values())
    assert not Recipe.objects.exists()
    assert StagedXorb.objects.get().rebuilt


def test_a_rebuilt_file_counts_for_its_sender_alone(sender: Sender, other_person: User) -> None:
    names = send_recorded(sender)
    elsewhere = factories.published("acme/elsewhere").checkpoint

    assert present(sender.checkpoint, other_person, names) == {}
    assert present(elsewhere, sender.person, names) == {}


def test_terms_may_repeat_and_overlap_across_xorbs(send: Send) -> None:
    block = xet.file_block((PAIR, 0, 2), (OTHER, 0, 1), (PAIR, 1, 2), (PAIR, 0, 1))
    (name,) = send(block, sent=(PAIR, OTHER))
    assert stored(name) == WHOLE + OTHER.contents[0] + PAIR.contents[1] + PAIR.contents[0]


def test_a_shard_sent_twice_changes_nothing(sender: Sender) -> None:
    send_recorded(sender)
    before = list(Upload.objects.order_by("pk").values())
    send_recorded(sender)
    after = list(Upload.objects.order_by("pk").values())
    assert [{**row, "touched_at": 0} for row in after] == [
        {**row, "touched_at": 0} for row in before
    ]


def test_a_large_file_is_rebuilt_by_a_worker(
    sender: Sender, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small files are rebuilt in the request, and a large one takes long.
    monkeypatch.setattr(shards, "_AT_ONCE_BYTES", 0)
    (name,) = send(xet.file_block((PAIR, 0, 2)), sent=(PAIR,))

    upload = Upload.objects.get()
    assert upload.state == Upload.State.RECEIVED
    assert present(sender.checkpoint, sender.person, [name]) == {}
    multipart.hash_object(upload.pk)
    assert stored(name) == WHOLE
    assert present(sender.checkpoint, sender.person, [name]) == {name: len(WHOLE)}


@pytest.mark.requirement("UP-10")
def test_the_xorb_of_another_person_or_checkpoint_is_refused_as_an_unknown_one(
    sender: Sender, other_person: User
) -> None:
    elsewhere = factories.published("acme/elsewhere").checkpoint
    body = xet.shard(xet.file_block((PAIR, 0, 2)))
    messages = []
    for owner in (
        None,
        sender._replace(person=other_person),
        sender._replace(checkpoint=elsewhere),
    ):
        if owner:
            send_xorb(owner, PAIR)
        with pytest.raises(XorbUnknown) as refused:
            send_shard(sender, body)
        messages.append(str(refused.value))
    assert len(set(messages)) == 1
    assert f"you have not uploaded the xorb {PAIR.name} to this checkpoint" in messages[0]
    assert not Upload.objects.exists()


def test_a_listed_xorb_that_was_not_sent_is_refused(sender: Sender, send: Send) -> None:
    with pytest.raises(XorbUnknown):
        send(xet.file_block((PAIR, 0, 2)), sent=(PAIR,), xorbs=OTHER.listing())


def test_a_listing_with_other_chunks_than_the_xorb_is_refused(sender: Sender, send: Send) -> None:
    listing = PAIR.listing().replace(PAIR.digests[0], OTHER.digests[0])
    with pytest.raises(MalformedXet, match="lists other chunks"):
        send(xet.file_block((PAIR, 0, 2)), sent=(PAIR,), xorbs=listing)
    assert not Upload.objects.exists()


def _beyond() -> bytes:
    """A file that names a third chunk of a xorb of two."""
    triple = xet.Xorb((*PAIR.contents, b"third"))
    return xet.file_block((triple, 0, 3)).replace(triple.digest, PAIR.digest)


@pytest.mark.requirement("UP-9")
@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (_beyond(), "chunks that its xorb does not have"),
        (xet.file_block((PAIR, 0, 2), size_error=1), "or another size"),
        (xet.file_block((PAIR, 0, 2), size_error=-1), "or another size"),
        (xet.file_block((PAIR, 0, 2), check=b"c" * 32), "verification hash of a term"),
        (xet.file_block((PAIR, 0, 2), digest=b"d" * 32), "do not make up its hash"),
        (xet.file_block((PAIR, 0, 2), sha256="e" * 64), "have the SHA-256"),
        (
            xet.file_block((PAIR, 1, 2), (PAIR, 0, 1), sha256=sha256(WHOLE)),
            "have the SHA-256",
        ),
        (
            xet.file_block((PAIR, 0, 1), (PAIR, 0, 2), sha256=sha256(WHOLE)),
            "have the SHA-256",
        ),
    ],
)
def test_a_false_file_is_refused_and_not_stored(
    sender: Sender, send: Send, store: Path, block: bytes, expected: str
) -> None:
    send(block, sent=(PAIR,))

    assert expected in reason(sender)
    blobs = [path for path in store.rglob("*") if path.is_file() and path.parent.name != ".uploads"]
    assert blobs == []
    assert not Recipe.objects.exists()


def test_a_xorb_that_is_gone_from_staging_ends_the_upload(
    sender: Sender, send: Send, store: Path
) -> None:
    send_xorb(sender, PAIR)
    for path in (store / ".uploads").iterdir():
        path.unlink()
    send(xet.file_block((PAIR, 0, 2)))
    assert "no longer in staging" in reason(sender)


@pytest.mark.parametrize("at", [0, 8, 20])
def test_a_xorb_that_changed_in_staging_is_not_served(
    sender: Sender, send: Send, store: Path, at: int
) -> None:
    send_xorb(sender, PAIR)
    for path in (store / ".uploads").iterdir():
        body = bytearray(path.read_bytes())
        body[at] ^= 1
        path.write_bytes(body)
    send(xet.file_block((PAIR, 0, 2)))
    assert reason(sender)


def test_more_references_than_the_limit_are_refused(
    sender: Sender, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The real limit needs a shard of megabytes.
    monkeypatch.setattr(shards, "MOST_REFERENCES", 3)
    with pytest.raises(MalformedXet, match="two million chunks"):
        send(xet.file_block((PAIR, 0, 2), (PAIR, 0, 2)), sent=(PAIR,))


def test_other_files_of_a_shard_are_rebuilt_though_one_is_false(sender: Sender, send: Send) -> None:
    good, bad = xet.file_block((PAIR, 0, 2)), xet.file_block((PAIR, 0, 1), sha256="e" * 64)
    send(bad, good, sent=(PAIR,))
    assert present(sender.checkpoint, sender.person, [sha256(WHOLE), "e" * 64]) == {
        sha256(WHOLE): len(WHOLE)
    }


def _mutants(body: bytes, count: int) -> list[Callable[[], bytes]]:
    """Bodies with one to eight flipped bits, cut short, or with a part repeated."""
    randoms = random.Random(14)

    def flipped() -> bytes:
        changed = bytearray(body)
        for _ in range(randoms.randint(1, 8)):
            changed[randoms.randrange(len(changed))] ^= 1 << randoms.randrange(8)
        return bytes(changed)

    def cut() -> bytes:
        return body[: randoms.randrange(len(body))]

    def repeated() -> bytes:
        start = randoms.randrange(len(body))
        end = min(len(body), start + 48 * randoms.randint(1, 8))
        return body[:end] + body[start:]

    return [randoms.choice([flipped, flipped, cut, repeated]) for _ in range(count)]


@pytest.mark.slow
@pytest.mark.requirement("UP-9")
def test_a_mutated_shard_never_yields_other_bytes_than_its_hashes_state(sender: Sender) -> None:
    send_recorded(sender)
    Upload.objects.all().delete()
    refused = 0
    for mutant in _mutants(xet.SHARD, 300):
        try:
            names = send_shard(sender, mutant())
        except UploadRefused:
            refused += 1
            continue
        for name in present(sender.checkpoint, sender.person, names):
            assert sha256(stored(name)) == name
            assert name in xet.sha256s(xet.recorded_files())
        Upload.objects.all().delete()
    assert refused > 200


@pytest.mark.slow
def test_a_mutated_xorb_is_refused_or_has_the_same_content(sender: Sender, store: Path) -> None:
    original = [content for _chunk, content in xorb_format.read_chunks(io.BytesIO(xet.XORB))]
    refused = 0
    for mutant in _mutants(xet.XORB, 300):
        body = mutant()
        try:
            xorbs.receive(sender, xet.XORB_HASH, len(body), io.BytesIO(body))
        except MalformedXet:
            refused += 1
        else:  # a repeated pattern may be compressed in several ways
            assert [
                content for _chunk, content in xorb_format.read_chunks(io.BytesIO(body))
            ] == original
            StagedXorb.objects.all().delete()
    assert refused > 200
