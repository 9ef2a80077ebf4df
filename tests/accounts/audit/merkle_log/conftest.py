"""What each test of the sealer needs."""

import pytest


@pytest.fixture(autouse=True)
def _own_horizon(own_horizon: None) -> None:
    """Counts of sealed rows are told by the test's own rows alone."""
