"""What each test of the sealer needs."""

import pytest


@pytest.fixture(autouse=True)
def _own_horizon(own_horizon: None) -> None:
    """Only the test's own rows count as sealed rows."""
