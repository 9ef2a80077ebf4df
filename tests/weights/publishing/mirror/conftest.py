"""A hub to mirror from, and a function that mirrors from it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.tiers.models import Tier
from tests.support.servers.source_hub import SourceHub, source_hub
from weights.publishing.mirror.services import publish_source
from weights.publishing.mirror.session import HubSession
from weights.publishing.mirror.source import find_revision
from weights.publishing.models import Revision

Mirror = Callable[..., Revision]


@pytest.fixture
def hub() -> Iterator[SourceHub]:
    with source_hub() as running:
        yield running


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between attempts in seconds, which are recorded and not waited for."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


@pytest.fixture
def mirror(hub: SourceHub, open_tier: Tier, store: Path, waits: list[float]) -> Mirror:
    """Mirrors `lab/model` from the hub as `acme/copy`; `session` has its arguments."""

    def run(
        *, revision: str = "main", session: dict[str, Any] | None = None, **options: Any
    ) -> Revision:
        facts = {"private_hosts": [hub.address]} | (session or {})
        connected = HubSession(facts.pop("hub", hub.url), **facts)
        source = find_revision(connected, hub.repo_id, revision)
        chosen: dict[str, Any] = {
            "tier": "open",
            "branch": "main",
            "tag": "",
            "private": False,
            "licence": "",
        }
        chosen |= {"staging": None, "accept_findings": False, "progress": lambda count: None}
        return publish_source(connected, source, "acme/copy", **chosen | options)

    return run
