"""Passkeys in a real browser, with Chromium's virtual authenticator."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support import factories
from tests.support.browser.page_faults import axe_violations
from tests.support.servers.live import Portal

pytestmark = [pytest.mark.browser, pytest.mark.one_database]

#: A virtual security key in the browser, which confirms automatically with the right PIN.
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def portal(store: Path, start_portal: Callable[..., Portal]) -> str:
    """The portal under a host name: browsers store no passkeys for IP addresses."""
    factories.person("ada")
    return f"http://localhost:{urlsplit(start_portal().url).port}"


@contextmanager
def page_with_a_key(
    open_browser: Callable[..., BrowserContext], portal: str, **options: object
) -> Iterator[Page]:
    context = open_browser(base_url=portal, **options)
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    cdp = context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    yield page
    assert faults == [], "the strict content policy lets every script of these pages run"


def sign_in(page: Page) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username or e-mail").fill("ada")
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def add_a_passkey(page: Page, *, alone: bool = True) -> None:
    page.goto("/accounts/2fa/webauthn/add/")
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Name").fill("Laptop of Ada")
    page.get_by_label("Sign in with it alone").set_checked(alone)
    page.get_by_role("button", name="Create passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()


def sign_out(page: Page) -> None:
    page.goto("/accounts/logout/")
    page.locator("main").get_by_role("button", name="Sign Out").click()
    page.wait_for_url("**/")


PAGES = [
    "/accounts/2fa/",
    "/accounts/2fa/webauthn/",
    "/accounts/2fa/webauthn/add/",
    "/accounts/2fa/webauthn/reauthenticate/",
    "/accounts/password/change/",
    "/accounts/sessions/",
]


def test_a_passkey_is_made_signs_in_alone_and_confirms_that_it_is_you(
    portal: str, open_browser: Callable[..., BrowserContext]
) -> None:
    with page_with_a_key(open_browser, portal) as page:
        sign_in(page)
        add_a_passkey(page)
        page.goto("/accounts/2fa/webauthn/")
        expect(page.get_by_role("row", name="Laptop of Ada")).to_contain_text("alone")
        assert_accessible(page)
        sign_out(page)
        page.goto("/accounts/login/?next=/settings/tokens/")
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(f"{portal}/settings/tokens/")
        page.goto("/accounts/2fa/webauthn/reauthenticate/?next=/accounts/2fa/")
        page.get_by_role("button", name="Use a passkey").click()
        page.wait_for_url(f"{portal}/accounts/2fa/")


def test_a_passkey_is_the_second_factor_after_a_password(
    portal: str, open_browser: Callable[..., BrowserContext]
) -> None:
    with page_with_a_key(open_browser, portal, width=390, dark=True) as page:
        sign_in(page)
        add_a_passkey(page, alone=False)
        assert_accessible(page)
        sign_out(page)
        sign_in(page)
        expect(page.get_by_role("heading", name="Two-factor authentication")).to_be_visible()
        page.get_by_role("button", name="Use a passkey").click()
        page.wait_for_url(f"{portal}/access/")


def test_the_page_says_why_no_passkey_can_be_created(
    portal: str, open_browser: Callable[..., BrowserContext]
) -> None:
    with page_with_a_key(open_browser, portal) as page:
        page.goto("/accounts/login/")
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("alert")).to_contain_text("No passkey was used")
        page.goto(f"{portal.replace('localhost', '127.0.0.1')}/accounts/login/")
        link = page.get_by_role("link", name=portal)
        assert link.get_attribute("href") == f"{portal}/accounts/login/"


def assert_accessible(page: Page) -> None:
    for address in PAGES:
        page.goto(address)
        assert axe_violations(page) == [], address
        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wide, f"{address} scrolls sideways"
