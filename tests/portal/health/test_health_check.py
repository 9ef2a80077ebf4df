"""A container's health check fails for a stuck process, so that it is replaced."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from portal import health_check
from tests.support.servers.live import Portal

pytestmark = pytest.mark.one_database


def test_web_and_worker_are_well_while_they_answer(
    store: Path, start_portal: Callable[..., Portal], monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = start_portal(worker=True)
    monkeypatch.setenv("BIND", urlsplit(portal.url).netloc)
    assert health_check.main([]) == 0
    assert health_check.main(["worker"]) == 0

    portal.kill("web")
    portal.kill("worker")
    # A smaller limit: no worker will answer.
    monkeypatch.setattr(health_check, "TIMEOUT", 1.0)
    assert "does not answer" in health_check.web()
    assert "does not answer" in health_check.worker()
    assert health_check.main(["worker"]) == 1


def test_an_unknown_process_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SystemExit, match=r"web\|worker"):
        health_check.main(["beat"])
