"""One stack for all container tests, which run only in `make containers` (CONTAINERS=1)."""

import os
from collections.abc import Iterator

import pytest

from tests.chaos import checks, postbox
from tests.containers import images
from tests.containers.stack import BOUND, Running, running

collect_ignore_glob = [] if os.environ.get("CONTAINERS") else ["test_*.py"]


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Everything of docker-compose.yml, started once; removed at the end."""
    images.build_all()
    with postbox.opened("0.0.0.0") as box:  # noqa: S104 - workers reach it from their network
        settings = {
            "EMAIL_URL": f"smtp://host.containers.internal:{box.port}",
            "DECISION_UNDO_SECONDS": "1",
            "FILE_LINK_LIFETIME_MOST": str(BOUND),
            "VERIFICATION_LEASE": "10",
            "VERIFICATION_QUEUED": "15",
            "MAIL_CLAIM": f"{checks.CLAIM:.0f}",
        }
        with running(tmp_path_factory.mktemp("stack"), **settings) as stack:
            yield Running(stack, box, stack.up())
