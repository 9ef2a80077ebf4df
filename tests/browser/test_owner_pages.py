"""A release owner in a real browser: from an empty list to a published checkpoint, by keyboard."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from tests.support import factories
from tests.support.browser.page_faults import axe_violations
from tests.support.servers.live import Portal
from tests.weights.publishing.drafts.making import verify_all
from weights.catalogue.models import Checkpoint

pytestmark = [pytest.mark.browser, pytest.mark.one_database]


@pytest.fixture
def url(store: Path, open_tier: Tier, start_portal: Callable[..., Portal]) -> str:
    factories.staff("owner", Role.RELEASE_OWNER)
    return str(start_portal().url)


def _sign_in(page: Page, url: str) -> None:
    page.goto(f"{url}/accounts/login/?next=/my-checkpoints/")
    page.locator("[name=login]").fill("owner")
    page.locator("[name=password]").fill(factories.PASSWORD)
    page.locator("[name=password]").press("Enter")
    page.wait_for_url("**/my-checkpoints/")


def _check(page: Page) -> None:
    """No violation of axe's rules, and no sideways scrolling on a phone or a desk."""
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, page.url
    assert [one["id"] for one in axe_violations(page)] == [], page.url


def _press(page: Page, name: str) -> None:
    """Reach a link or button by the Tab key alone, and press it."""
    for _ in range(80):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.innerText || ''")
        if re.match(re.escape(name), focused.strip()):
            page.keyboard.press("Enter")
            page.wait_for_load_state()
            return
    raise AssertionError(f"{name} cannot be reached by Tab on {page.url}")


@pytest.mark.parametrize("dark", [False, True])
def test_a_checkpoint_is_created_edited_and_published_by_keyboard(
    url: str, open_browser: Callable[..., BrowserContext], dark: bool
) -> None:
    page = open_browser(dark=dark).new_page()
    _sign_in(page, url)
    _check(page)
    _press(page, "Create a checkpoint")
    page.locator("[name=org]").fill("lab")
    page.locator("[name=name]").fill("opt")
    page.locator("[name=card]").fill("# OPT\n\nA *model*.")
    page.locator("[name=card]").focus()
    _press(page, "Preview the card")
    assert page.locator(".card em").inner_text() == "model"
    _check(page)
    page.locator("[name=card]").focus()
    _press(page, "Create the draft")
    page.wait_for_url("**/my-checkpoints/lab/opt/")
    _check(page)
    verify_all()
    page.locator("#in-work:not([data-live])").wait_for()  # the page follows by itself
    _press(page, "Edit title and facts")
    _check(page)
    page.go_back()
    _press(page, "Review and publish")
    _check(page)
    page.locator("[name=notes]").fill("First release")
    page.locator("[name=notes]").focus()
    _press(page, "Publish")
    page.wait_for_url("**/my-checkpoints/lab/opt/")
    assert page.get_by_role("heading", name="First release").is_visible()
    assert Checkpoint.objects.get().published_at is not None


def test_without_scripts_a_card_is_edited_and_a_draft_discarded(
    url: str, open_browser: Callable[..., BrowserContext]
) -> None:
    page = open_browser(java_script_enabled=False, width=390).new_page()
    _sign_in(page, url)
    page.get_by_role("link", name="Create a checkpoint").click()
    page.locator("[name=org]").fill("lab")
    page.locator("[name=name]").fill("opt")
    page.locator("[name=card]").fill("# OPT")
    page.get_by_role("button", name="Create the draft").click()
    verify_all()
    page.get_by_role("link", name="Edit the card").click()
    page.locator("[name=card]").fill("# OPT, edited")
    page.get_by_role("button", name="Save as a draft").click()
    assert "The card is saved as the draft" in page.inner_text("main, body")
    page.get_by_role("link", name=re.compile("^Discard")).first.click()
    page.get_by_role("button", name="Discard it").click()
    assert "is discarded" in page.inner_text("body")
