"""A real Chromium for the tests of this folder."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests import tools

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder needs the browser."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.needs("chromium"))


@pytest.fixture
def open_browser() -> Iterator[Callable[..., BrowserContext]]:
    """A window of its own: `open_browser(width=390, dark=True)`; further options are Playwright's.

    Call it after the test's rows are made: while Playwright runs, its event loop keeps Django
    from using the database in this thread.
    """
    path = str(tools.find("chromium"))
    with ExitStack() as running:
        started: list[Browser] = []

        def browser() -> Browser:
            if not started:
                driver = running.enter_context(sync_playwright())
                args = ["--no-sandbox"]
                started.append(driver.chromium.launch(executable_path=path, args=args))
                running.callback(started[0].close)
            return started[0]

        def window(*, width: int = 1440, dark: bool = False, **options: Any) -> BrowserContext:
            return browser().new_context(
                viewport={"width": width, "height": 900},
                color_scheme="dark" if dark else "light",
                **options,
            )

        yield window
