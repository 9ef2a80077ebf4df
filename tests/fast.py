"""Which tests are fast, for `make test-fast`: those of the edit loop.

A fast test starts nothing but the database, is rolled back at its end, and is the first of its
parameters. It is known by what it uses; only what takes long all the same is marked `slow`.
"""

import pytest

#: Fixtures that start a server or a browser.
FIXTURES = {
    *("start_portal", "portal_server", "start_front", "_collected_static"),
    *("s3_server", "s3_endpoint", "s3_store", "open_browser", "transactional_db"),
}
#: Modules with which the tests of a file start processes.
MODULES = {
    *("subprocess", "multiprocessing"),
    *("tests.install", "tests.live", "tests.front", "tests.s3"),
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the fast tests before `-m` selects."""
    chosen = set()
    for item in items:
        assert isinstance(item, pytest.Function)
        name = item.path, item.originalname
        if name not in chosen and not _is_slow(item):
            chosen.add(name)
            item.add_marker("fast")


def _is_slow(item: pytest.Function) -> bool:
    database = item.get_closest_marker("django_db")
    return bool(
        FIXTURES & {*item.fixturenames}
        or MODULES & _used_by(item.module)
        or (database and database.kwargs.get("transaction"))
        or item.get_closest_marker("transformers")
        or item.get_closest_marker("slow")
        or hasattr(item.obj, "hypothesis")  # it runs its body a hundred times
    )


def _used_by(file: object) -> set[str]:
    """The names of modules that a test file imports, or imports functions and classes of."""
    return {
        str(getattr(value, "__module__", "") or getattr(value, "__name__", ""))
        for value in vars(file).values()
    }
