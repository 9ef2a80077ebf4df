"""The API's documentation page, drawn by our own scripts under the strict policy."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Request, expect

from tests.support.servers.live import Portal
from weights.api.api import api

pytestmark = [pytest.mark.browser, pytest.mark.one_database]


def test_the_page_draws_every_operation_and_tries_one_out(
    store: Path, start_portal: Callable[..., Portal], open_browser: Callable[..., BrowserContext]
) -> None:
    url = start_portal().url
    page = open_browser().new_page()
    complaints: list[str] = []
    asked: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", note)
    page.goto(f"{url}/api/v1/docs")
    page.wait_for_selector("text=Look a file up by its SHA-256")
    operations = sum(len(methods) for methods in api.get_openapi_schema()["paths"].values())
    assert page.locator(".opblock").count() == operations > 20
    page.click("text=List every stable code")
    page.click("text=Try it out")
    page.click("button.execute")
    page.wait_for_selector(".live-responses-table >> text=licence_outdated")
    assert complaints == []
    assert {one for one in asked if not one.startswith((f"{url}/", "data:"))} == set()


def test_the_page_follows_the_theme_of_the_site(
    store: Path, start_portal: Callable[..., Portal], open_browser: Callable[..., BrowserContext]
) -> None:
    page = open_browser().new_page()
    page.emulate_media(color_scheme="dark")
    page.goto(f"{start_portal().url}/api/v1/docs")
    path = page.locator(".opblock-summary-path").first
    expect(page.locator("html.dark-mode")).to_have_count(1)
    dark = path.evaluate("one => getComputedStyle(one).color")
    page.click("[data-theme-switch]")
    expect(page.locator("html.dark-mode")).to_have_count(0)
    assert path.evaluate("one => getComputedStyle(one).color") != dark
