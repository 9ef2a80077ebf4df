"""Xorbs are staged only for their sender, within a quota, and swept."""

import io
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.users.models import User
from tests.support import factories, xet
from tests.weights.uploads.xet.conftest import send_xorb
from weights.errors import QuotaExceeded, StorageUnavailable
from weights.uploads.xet import xorbs
from weights.uploads.xet.errors import MalformedXet
from weights.uploads.xet.models import StagedXorb
from weights.uploads.xet.staging import xorb_staging
from weights.uploads.xet.xorbs import Sender

PAIR = xet.Xorb((b"first chunk", b"second chunk"))


def staged(store: Path) -> list[bytes]:
    return [path.read_bytes() for path in (store / ".uploads").iterdir()]


def test_a_xorb_is_staged_as_sent_and_sent_once(sender: Sender, store: Path) -> None:
    assert send_xorb(sender, PAIR)
    assert not send_xorb(sender, PAIR)

    assert staged(store) == [PAIR.body]
    assert sender.xorbs().get().digest == PAIR.name


def test_a_xorb_belongs_to_one_person_and_one_checkpoint(
    sender: Sender, other_person: User
) -> None:
    send_xorb(sender, PAIR)
    elsewhere = factories.published("acme/elsewhere").checkpoint

    assert xorbs.has(sender, PAIR.name)
    assert not xorbs.has(sender._replace(person=other_person), PAIR.name)
    assert not xorbs.has(sender._replace(checkpoint=elsewhere), PAIR.name)
    assert send_xorb(sender._replace(checkpoint=elsewhere), PAIR)


@pytest.mark.parametrize(
    "body", [PAIR.body[:-1], PAIR.body + b"x", PAIR.body + xet.chunk(b"third"), b"", b"noise" * 99]
)
def test_nothing_is_kept_of_a_xorb_that_does_not_have_its_hash(
    sender: Sender, store: Path, body: bytes
) -> None:
    with pytest.raises(MalformedXet):
        xorbs.receive(sender, PAIR.name, len(PAIR.body), io.BytesIO(body))

    assert staged(store) == []
    assert not StagedXorb.objects.exists()


@pytest.mark.parametrize("length", [-1, 0, 64 * 1024 * 1024 + 64 * 1024 + 1])
def test_a_xorb_of_an_impossible_length_is_refused_unread(sender: Sender, length: int) -> None:
    stream = io.BytesIO(PAIR.body)
    with pytest.raises(MalformedXet, match="empty or larger than 64 MiB"):
        xorbs.receive(sender, PAIR.name, length, stream)
    assert stream.tell() == 0


def test_a_connection_that_breaks_leaves_nothing(sender: Sender, store: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError("connection reset")
            return super().read(size)

    with pytest.raises(OSError, match="connection reset"):
        xorbs.receive(sender, PAIR.name, len(PAIR.body), Broken(PAIR.body))
    assert staged(store) == []
    assert not StagedXorb.objects.exists()
    assert send_xorb(sender, PAIR)


@pytest.mark.requirement("UP-12")
def test_staged_xorbs_count_against_the_quota(sender: Sender, settings: Settings) -> None:
    settings.UPLOAD_QUOTA = len(PAIR.body) + 10
    send_xorb(sender, PAIR)
    other = xet.Xorb((b"another chunk",))

    with pytest.raises(QuotaExceeded, match="are already waiting"):
        send_xorb(sender, other)
    StagedXorb.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert send_xorb(sender, other)


def test_an_unreadable_xorb_is_a_fault_of_the_store(sender: Sender, store: Path) -> None:
    (store / ".uploads" / "xorb-name").mkdir(parents=True)
    with pytest.raises(StorageUnavailable), xorb_staging().open("name", 0, 10):
        pass


def test_a_xorb_sent_again_takes_the_place_of_the_ended_one(sender: Sender, store: Path) -> None:
    send_xorb(sender, PAIR)
    StagedXorb.objects.update(created_at=timezone.now() - timedelta(hours=25))
    send_xorb(sender, PAIR)
    assert staged(store) == [PAIR.body]


def test_a_local_store_grants_nothing(sender: Sender) -> None:
    assert xorbs.grant(sender, PAIR.name, len(PAIR.body)) is None
    assert not StagedXorb.objects.exists()


@pytest.mark.requirement("UP-12")
@pytest.mark.parametrize(
    ("hours", "rebuilt", "live"),
    [(23, False, True), (25, False, False), (5, True, True), (7, True, False)],
)
def test_xorbs_end_after_a_day_or_soon_after_their_files_were_rebuilt(
    sender: Sender, store: Path, hours: int, rebuilt: bool, live: bool
) -> None:
    send_xorb(sender, PAIR)
    created_at = timezone.now() - timedelta(hours=hours)
    StagedXorb.objects.update(created_at=created_at, rebuilt=rebuilt)

    assert xorbs.has(sender, PAIR.name) == live
    assert xorbs.sweep() == (0 if live else 1)
    assert len(staged(store)) == StagedXorb.objects.count() == int(live)
