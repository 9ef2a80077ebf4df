"""The application form in a real browser does not lose what is typed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from accounts.applications.workflow import submission
from accounts.tiers.models import Tier
from tests.support import factories
from tests.support.servers.live import Portal

pytestmark = [pytest.mark.browser, pytest.mark.one_database]

TYPED = "Outlier features, typed before signing in again"


@pytest.fixture
def url(store: Path, gated_tier: Tier, start_portal: Callable[..., Portal]) -> str:
    """The page of a draft's step on a running portal."""
    grace = factories.person("grace")
    draft = submission.start(grace, gated_tier)
    return f"{start_portal().url}/applications/{draft.public_id}/form/project/"


def sign_in(page: Page, url: str) -> None:
    page.goto(url)
    page.locator("[name=login]").fill("grace")
    page.locator("[name=password]").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=False).last.click()
    page.wait_for_url("**/form/project/")


def sign_in_anew_elsewhere(page: Page, url: str) -> None:
    """In another tab of the same browser: the first one's form has an old proof from then on."""
    other = page.context.new_page()
    page.context.clear_cookies(name="sessionid")
    sign_in(other, url)


def test_an_open_form_saves_itself_after_its_reader_signed_in_again_elsewhere(
    url: str, open_browser: Callable[..., BrowserContext]
) -> None:
    page = open_browser().new_page()
    sign_in(page, url)
    page.locator("[name=title]").fill(TYPED)
    sign_in_anew_elsewhere(page, url)
    page.locator("[name=abstract]").focus()
    page.locator("#autosave-mark:has-text('Saved')").wait_for()
    page.reload()
    assert page.locator("[name=title]").input_value() == TYPED


def test_without_scripts_the_text_is_shown_again_to_be_saved(
    url: str, open_browser: Callable[..., BrowserContext]
) -> None:
    page = open_browser(java_script_enabled=False).new_page()
    sign_in(page, url)
    page.locator("[name=title]").fill(TYPED)
    sign_in_anew_elsewhere(page, url)
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_text("This is not saved yet").wait_for()
    page.get_by_role("button", name="Save and continue").click()
    page.wait_for_url("**/form/plan/")
    page.goto(url)
    assert page.locator("[name=title]").input_value() == TYPED


def test_a_counter_follows_the_text_and_waits_for_a_pause(
    url: str, open_browser: Callable[..., BrowserContext]
) -> None:
    page = open_browser(width=390).new_page()
    sign_in(page, url)
    mark = page.locator('[data-count-for="id_title"]')
    assert mark.inner_text() == "10 to 200 characters"
    page.get_by_label("Project title").fill("Short 文字")
    page.locator('[data-count-for="id_title"]', has_text="2 more needed").wait_for()
    page.get_by_label("Project title").fill("x" * 201)
    page.locator('[data-count-for="id_title"]', has_text="1 too many").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
