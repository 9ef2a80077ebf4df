"""`make test-fast` selects tests by what they use; these tests check their own marks."""

from pathlib import Path

import pytest

from tests.support.selection import MODULES

pytestmark = pytest.mark.one_database


def is_fast(request: pytest.FixtureRequest) -> bool:
    return request.node.get_closest_marker("fast") is not None


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_first_of_its_parameters_is_fast(number: int, request: pytest.FixtureRequest) -> None:
    assert is_fast(request) == (number == 1)


@pytest.mark.django_db
def test_a_test_that_is_rolled_back_is_fast(store: Path, request: pytest.FixtureRequest) -> None:
    assert is_fast(request)


@pytest.mark.django_db(transaction=True)
def test_a_test_that_commits_is_not_fast(request: pytest.FixtureRequest) -> None:
    assert not is_fast(request)


def test_a_test_that_starts_a_server_is_not_fast(
    s3_server: object, request: pytest.FixtureRequest
) -> None:
    assert not is_fast(request)


def own_markers(request: pytest.FixtureRequest) -> set[str]:
    """Names of the item's markers without those of its file."""
    return {mark.name for mark in request.node.own_markers}


def test_a_test_without_a_database_runs_on_one_only(request: pytest.FixtureRequest) -> None:
    assert "one_database" in own_markers(request)


@pytest.mark.django_db
def test_a_test_that_is_marked_with_the_database_runs_on_both(
    request: pytest.FixtureRequest,
) -> None:
    assert "one_database" not in own_markers(request)


def test_a_test_whose_fixtures_use_the_database_runs_on_both(
    gated_tier: object, request: pytest.FixtureRequest
) -> None:
    assert "one_database" not in own_markers(request)


def test_helpers_that_start_processes_are_modules_of_the_suite() -> None:
    helpers = [name for name in MODULES if name.startswith("tests.")]
    assert all(Path(f"{name.replace('.', '/')}.py").is_file() for name in helpers)
