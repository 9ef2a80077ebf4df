"""A draft checkpoint, and objects to send to it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from accounts.tiers.models import Tier
from weights.catalogue.models import Checkpoint
from weights.uploads import multipart


@dataclass(frozen=True)
class Content:
    """The bytes of an object."""

    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def size(self) -> int:
        return len(self.data)

    def parts(self, size: int) -> Iterator[tuple[int, bytes]]:
        for start in range(0, len(self.data), size):
            yield start // size + 1, self.data[start : start + size]


@pytest.fixture
def checkpoint(gated_tier: Tier) -> Checkpoint:
    return Checkpoint.objects.create(org="acme", name="draft", tier=gated_tier, private=True)


@pytest.fixture
def content() -> Content:
    return Content(b"weights" * 1000)


@pytest.fixture
def large() -> Content:
    """An object of three parts: of 5 MiB, the least that a bucket takes, and a shorter one."""
    return Content(bytes(range(256)) * 4096 * 11)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 5 MiB, because objects of several parts of 64 MiB take long."""
    monkeypatch.setattr(multipart, "PART_SIZE", 5 * 1024 * 1024)
