"""Fixtures of the sealer's tests."""

import pytest


@pytest.fixture(autouse=True)
def _own_horizon(own_horizon: None) -> None:
    """Only the test's own rows count as sealed rows."""
