"""Pages in a real browser: their colours, keyboard use, and without scripts."""

import gzip
import logging
from collections.abc import Callable

import pytest
from django.conf import settings as portal_settings
from playwright.sync_api import BrowserContext

from tests.support.browser.site import Site, make

log = logging.getLogger(__name__)

_MAIN_PAGES = [
    *("/", "/models", "/facebook/opt-175b", "/acme/open", "/acme/card", "/acme/sharded", "/tiers/"),
    *("/apply/opt-175b/", "/logbook/", "/transparency/", "/accounts/signup/"),
    "/will-it-run?checkpoint=facebook/opt-175b",
]
#: Milliseconds from the request to the paint of the largest text or picture.
_LARGEST_PAINT = """new Promise(resolve => new PerformanceObserver(list =>
  resolve(list.getEntries().at(-1).startTime)
).observe({type: "largest-contentful-paint", buffered: true}))"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.one_database,
    pytest.mark.xdist_group("the look of pages"),  # they share a portal
]


@pytest.fixture(scope="module")
def site(share_site: Callable[..., Site]) -> Site:
    """A running portal with something on every page."""
    return share_site(make)


def test_everything_comes_from_our_own_origin(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    page = open_browser().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("/", "/acme/sharded", "/apply/opt-175b/", "/applications/"):
        page.goto(site.url + path, wait_until="networkidle")
    assert asked
    assert [address for address in asked if not address.startswith(site.url)] == []


def test_a_card_shows_its_own_images_and_runs_nothing(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    page = open_browser().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(site.url + "/acme/card", wait_until="networkidle")
    assert page.title() != "run"
    assert [address for address in asked if not address.startswith(site.url)] == []
    image = page.locator(".card img").first
    image.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.card img').naturalWidth === 1")
    page.get_by_role("link", name="Down", exact=True).click()
    assert page.url.endswith("#card-the-table")
    assert page.locator("#card-the-table").is_visible()


def test_formulas_lower_their_subscripts_and_are_not_clipped(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    page = open_browser().new_page()
    page.goto(site.url + "/acme/card")
    page.get_by_text("More", exact=True).click()
    formula = page.locator('.card math[display="block"]')
    clipped = """math => [...math.querySelectorAll("*")].filter(
        one => one.getBoundingClientRect().top < math.getBoundingClientRect().top
            || one.getBoundingClientRect().bottom > math.getBoundingClientRect().bottom).length"""
    assert formula.evaluate(clipped) == 0
    lowered = """math => { const [base, index] = math.querySelector("msub").children;
        return index.getBoundingClientRect().bottom - base.getBoundingClientRect().bottom }"""
    assert formula.evaluate(lowered) > 2


def test_the_main_pages_weigh_less_than_150_kb_and_are_painted_soon_on_a_first_visit(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    """`--log-level=info -rP` shows the figures.

    The largest paint takes less than a second on an idle machine; the bound is for a busy one.
    """
    heavy, late = {}, {}
    for path in _MAIN_PAGES:
        page = open_browser().new_page()
        received: list[int] = []
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on(
            "Network.loadingFinished",
            lambda event, sizes=received: sizes.append(event["encodedDataLength"]),
        )
        page.goto(site.url + path, wait_until="networkidle")
        assert len(received) > 3
        weight, paint = sum(received), page.evaluate(_LARGEST_PAINT)
        log.info("%s: %d bytes, largest paint after %d ms", path, weight, paint)
        if weight > 150_000:
            heavy[path] = weight
        if not 0 < paint < 10_000:
            late[path] = paint
    assert (heavy, late) == ({}, {})


def test_no_page_ships_more_than_150_kb_of_script_style_and_type() -> None:
    static = portal_settings.BASE_DIR / "static"
    names = [path for kind in ("css", "js") for path in (static / kind).rglob("*.*")]
    fonts = [path for path in (static / "fonts").glob("*.woff2") if "ext" not in path.name]
    sent = sum(len(gzip.compress(path.read_bytes())) for path in names)
    assert sent + sum(path.stat().st_size for path in fonts) < 150_000


def test_a_keyboard_reaches_the_commands_and_moves_on_the_grid(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    page = open_browser().new_page()
    page.goto(site.url + "/acme/open")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "way":
            break
    page.keyboard.press("ArrowRight")
    assert page.locator('[data-way="python"]').is_visible()
    assert not page.locator('[data-way="hf"]').is_visible()
    page.goto(site.url + "/acme/sharded/tree/main")
    first = page.locator(".shards__cells a").first
    first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert "part-1-shard1.pt" in page.locator("#shard-readout").inner_text()


def test_without_scripts_the_commands_and_the_form_still_work(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    context = open_browser(java_script_enabled=False)
    context.add_cookies([site.cookie("returned")])  # type: ignore[list-item]
    page = context.new_page()
    page.goto(site.url + "/acme/open")
    page.get_by_text("curl", exact=True).first.click()
    assert page.locator('[data-way="curl"]').is_visible()
    page.goto(site.url + site.form[1])
    page.get_by_label("Project title").fill("Changed without a script")
    page.keyboard.press("Enter")
    page.wait_for_url(site.url + site.form[2])
    page.get_by_role("button", name="Back").click()
    assert page.get_by_label("Project title").input_value() == "Changed without a script"


def test_the_form_saves_itself_when_a_field_loses_focus(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    context = open_browser()
    context.add_cookies([site.cookie("returned")])  # type: ignore[list-item]
    page = context.new_page()
    page.goto(site.url + site.form[1])
    page.locator("#autosave-mark", has_text="Saved ").wait_for()
    page.locator("#autosave-mark").evaluate("mark => { mark.textContent = '' }")
    page.get_by_label("Project title").fill("Saved by leaving the field")
    page.keyboard.press("Tab")
    page.locator("#autosave-mark", has_text="Saved ").wait_for()
    interest = page.get_by_label("If yes, what is the interest?")
    assert not interest.is_visible()
    page.get_by_label("Yes", exact=True).check()
    assert interest.is_visible()
    page.reload()
    assert page.get_by_label("Project title").input_value() == "Saved by leaving the field"


def test_errors_take_the_focus(site: Site, open_browser: Callable[..., BrowserContext]) -> None:
    context = open_browser()
    context.add_cookies([site.cookie("returned")])  # type: ignore[list-item]
    page = context.new_page()
    page.goto(site.url + site.form[4])
    page.get_by_role("button", name="Submit again").click()
    page.wait_for_selector("#error-summary")
    assert page.evaluate("document.activeElement.id") == "error-summary"
    page.locator("#error-summary a", has_text="Full name").click()
    assert page.url.startswith(site.url + site.form[0])
    assert page.locator("#field-full_name .field__error").is_visible()


def test_the_colours_follow_the_system_until_the_reader_chooses(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    page = open_browser(dark=True).new_page()
    page.goto(site.url)
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.emulate_media(media="print")
    printed = page.evaluate(ground)
    page.emulate_media(media="screen")
    page.get_by_role("button", name="Dark colours").click()
    light = page.evaluate(ground)
    assert light == printed != dark
    page.goto(site.url + "/models")
    assert page.evaluate(ground) == light
