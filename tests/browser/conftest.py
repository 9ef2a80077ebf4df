"""A real Chromium for the tests in this folder."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright
from pytest_django import DjangoDbBlocker

from tests.support import tools
from tests.support.browser.site import Site, on_a_portal

HERE = Path(__file__).parent
#: For a page to do what is expected of it: more than it takes on a busy machine.
MILLISECONDS = 90_000
expect.set_options(timeout=MILLISECONDS)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> Iterator[None]:
    """Every test of this folder needs the browser; those of whole sites come first of all tests.

    They take longest: at the end of a run one worker would be alone with the last of them.
    """
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.needs("chromium"))
    yield
    items.sort(key=lambda item: "share_site" not in item.fixturenames)


@pytest.fixture(scope="package")
def _browser() -> Iterator[Browser]:
    """One for all tests of this folder, each of which opens windows that share nothing.

    While Playwright runs, its event loop is the one of this thread. Django then refuses the
    database unless it is told that nothing here is asynchronous.
    """
    path = str(tools.find("chromium"))
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as driver:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_browser(_browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Open a window: `open_browser(width=390, dark=True)`; further options are Playwright's."""
    with ExitStack() as opened:

        def window(*, width: int = 1440, dark: bool = False, **options: Any) -> BrowserContext:
            context = _browser.new_context(
                viewport={"width": width, "height": 900},
                color_scheme="dark" if dark else "light",
                **options,
            )
            context.set_default_timeout(MILLISECONDS)
            opened.callback(context.close)
            return context

        yield window


@pytest.fixture(scope="module")
def share_site(
    django_db_setup: None,
    _collected_static: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[Callable[[Path], Site]], Site]]:
    """Run a portal for all tests of a module on what `make(folder)` puts into the database.

    Such a test takes no fixture that empties the database at its end.
    """
    with ExitStack() as running, django_db_blocker.unblock():

        def share(make: Callable[[Path], Site]) -> Site:
            return running.enter_context(on_a_portal(tmp_path_factory.mktemp("site"), make))

        yield share
        running.close()
