"""A running install shared by several test files."""

from collections.abc import Iterator

import pytest

from tests.support.servers.install import Install, new_install


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Install]:
    """One install with its demo checkpoints, for every test that leaves it running.

    Those tests are in the group `quickstart`, so that one process of the suite has them all.
    """
    with new_install(tmp_path_factory.mktemp("running")) as made:
        made.start()
        yield made
