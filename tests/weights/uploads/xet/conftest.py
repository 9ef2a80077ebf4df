"""A sender of xorbs: a release owner with a draft."""

import io
from collections.abc import Callable

import pytest

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import xet
from weights.catalogue.models import Checkpoint
from weights.uploads.xet import shards, xorbs
from weights.uploads.xet.xorbs import Sender

Send = Callable[..., list[str]]


@pytest.fixture
def sender(store: object, gated_tier: Tier, release_owner: User) -> Sender:
    draft = Checkpoint.objects.create(org="acme", name="draft", tier=gated_tier, private=True)
    return Sender(release_owner, draft)


@pytest.fixture
def send(sender: Sender) -> Send:
    """Send these xorbs and a shard of these blocks; returns the SHA-256 of its files."""

    def send(*blocks: bytes, sent: tuple[xet.Xorb, ...] = (), **facts: object) -> list[str]:
        for one in sent:
            send_xorb(sender, one)
        return send_shard(sender, xet.shard(*blocks, **facts))  # type: ignore[arg-type]

    return send


def send_xorb(sender: Sender, xorb: xet.Xorb) -> bool:
    return xorbs.receive(sender, xorb.name, len(xorb.body), io.BytesIO(xorb.body))


def send_shard(sender: Sender, body: bytes) -> list[str]:
    return shards.accept(sender, io.BytesIO(body))


def send_recorded(sender: Sender) -> list[str]:
    """The recorded upload of `tests.support.xet`."""
    xorbs.receive(sender, xet.XORB_HASH, len(xet.XORB), io.BytesIO(xet.XORB))
    return send_shard(sender, xet.SHARD)
