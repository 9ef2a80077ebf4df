"""Every page in a real browser: three widths, both schemes, without scripts, and as valid HTML."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from tests.support.browser import page_table
from tests.support.browser.page_faults import ALL_STATES, STATES, Inspector, assert_sound
from tests.support.browser.site import Site, make

pytestmark = [pytest.mark.browser, pytest.mark.one_database]

#: The readers of one test, so that two processes can share the pages.
_READERS = {
    "strangers": ["stranger"],
    "people": [reader for reader in page_table.PAGES if reader != "stranger"],
}
#: Swagger UI, whose styles for dark colours `api_docs.js` chooses, may change its sizes too.
_MORE_THAN_COLOURS = {"/api/v1/docs"}

_FAULTY = """<!doctype html><html lang="en"><title>Faulty</title><meta name="viewport"
 content="width=device-width"><link rel="icon" href="data:,"><style>
:root { color-scheme: light dark; background: light-dark(white, black) }
body { color: light-dark(black, white); margin: 0 }
main { width: 800px }
@media (width < 500px) { h1:first-child { color: light-dark(#ddd, white) } }
@media (width > 1000px) { h1:last-of-type { color: light-dark(black, #222) } }
@media (prefers-color-scheme: dark) { main { width: 801px } }
</style><main id="container"><h1>One</h1><h1>Two</h1><label for="nothing">Name</label>
<button type="button" style="height: 10px">Press</button></main>
<script>console.error("said aloud")</script>"""


@pytest.fixture(scope="module")
def site(share_site: Callable[..., Site]) -> Site:
    """A running portal with something on every page."""
    return share_site(make)


def test_every_route_is_a_page_of_the_table_or_has_a_reason() -> None:
    assert page_table.routes_without_an_entry() == set(), "see the docstring of page_table.py"
    assert page_table.reasons_without_a_route() == set()


@pytest.mark.parametrize("readers", _READERS)
def test_every_page_of_the_site_is_sound(
    readers: str, site: Site, tmp_path: Path, open_browser: Callable[..., BrowserContext]
) -> None:
    inspector = Inspector.of(open_browser(), open_browser(java_script_enabled=False))
    for reader in _READERS[readers]:
        inspector.become(site.cookie(reader) if reader in site.sessions else None)
        for pattern, action in page_table.PAGES[reader].items():
            states = ALL_STATES if pattern in _MORE_THAN_COLOURS else STATES
            inspector.inspect(site.address(pattern), action, states=states)
        if reader == "stranger":
            inspector.inspect(f"{site.url}/no/such/page", "Go to the home page", status=404)
    assert_sound(inspector, tmp_path)


def test_the_faults_of_a_page_are_found(open_browser: Callable[..., BrowserContext]) -> None:
    windows = open_browser(), open_browser(java_script_enabled=False)
    for window in windows:
        window.route("**", lambda route: route.fulfill(body=_FAULTY, content_type="text/html"))
    inspector = Inspector.of(*windows)
    inspector.inspect("http://faulty.example/", "Save", status=404)
    wide = "HTML is {} px wider than the window"
    assert [one.removeprefix("http://faulty.example/: ") for one in inspector.faults] == [
        "answers 200",
        "not one heading of the first level",
        "without scripts nobody can reach: Save",
        f"without scripts: {wide.format(410)}",
        "console: said aloud",
        "answers 200",
        "for names no nothing",
        "a style sheet has rules for (prefers-color-scheme: dark)",
        f"390 px, light: {wide.format(410)}",
        'too low for a finger: <button type="button" style="height: 10px">Press</button>',
        "390 px, light: color-contrast at ['h1:nth-child(1)']",
        f"768 px, light: {wide.format(32)}",
        f"768 px, dark: {wide.format(33)}",
        "1440 px, dark: color-contrast at ['h1:nth-child(2)']",
    ]
