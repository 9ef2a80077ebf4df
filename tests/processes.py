"""The marker `processes`: tests that start servers, browsers or long commands of their own.

    pytest -m processes          # those alone, for instance ten times under load
    pytest -m "not processes"    # nothing but this process, the database and the broker

Whoever asks for one of these fixtures has it without saying so; a file that starts something by
itself says `pytest.mark.processes`.
"""

import pytest

FIXTURES = {"_collected_static", "open_browser", "s3_server", "start_front", "start_portal"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "processes: starts servers, browsers or long commands")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("processes")
