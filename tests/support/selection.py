"""The markers `processes`, `fast` and `one_database`, set by what a test uses.

    pytest -m processes          # tests that start servers, browsers or long commands
    pytest -m "not processes"    # tests that need this process, the database and the broker
    pytest -m fast               # `make test-fast`: the edit loop

A test that uses no database is in `one_database`. A test that uses one of `FIXTURES` is in
`processes`; a file that starts processes itself sets `pytest.mark.processes`. A fast test uses no
server except the database, is rolled back at its end, and has the first of its parameters. Other
slow tests set `pytest.mark.slow`.
"""

from functools import cache

import pytest

#: Fixtures that start a server or a browser.
FIXTURES = {"_collected_static", "open_browser", "s3_server", "start_front", "start_portal"}
#: Modules that tests use to start processes.
MODULES = {
    *("subprocess", "multiprocessing"),
    *("tests.support.servers.install", "tests.support.servers.live"),
    *("tests.support.servers.front", "tests.support.servers.s3"),
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests before `-m` selects them."""
    chosen = set()
    for item in items:
        assert isinstance(item, pytest.Function)
        needs_torch = item.get_closest_marker("transformers")
        if FIXTURES.intersection(item.fixturenames) and not needs_torch:
            item.add_marker("processes")
        if not _uses_the_database(item):
            item.add_marker("one_database")
        name = item.path, item.originalname
        if name not in chosen and not _is_slow(item):
            chosen.add(name)
            item.add_marker("fast")


def _uses_the_database(item: pytest.Function) -> bool:
    fixtures = {"db", "transactional_db", "django_db_setup"}
    return bool(item.get_closest_marker("django_db") or fixtures.intersection(item.fixturenames))


def _is_slow(item: pytest.Function) -> bool:
    database = item.get_closest_marker("django_db")
    return bool(
        any(item.get_closest_marker(name) for name in ("processes", "slow", "transformers"))
        or MODULES & _used_by(item.module)
        or "transactional_db" in item.fixturenames
        or (database and database.kwargs.get("transaction"))
        or hasattr(item.obj, "hypothesis")  # runs its body a hundred times
    )


@cache
def _used_by(file: object) -> set[str]:
    """The modules that a test file imports or imports names from."""
    return {
        str(getattr(value, "__module__", "") or getattr(value, "__name__", ""))
        for value in vars(file).values()
    }
