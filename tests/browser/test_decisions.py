"""A decision is confirmed, undone and made again, then appealed to another reviewer."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings as portal_settings
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect

from accounts.applications.models import Application
from accounts.applications.workflow import undo_window
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.browser.page_faults import axe_violations
from tests.support.servers.live import Portal

pytestmark = [pytest.mark.browser, pytest.mark.one_database]

NOTE = "The plan does not say who can read the weights, nor when they are deleted."
TEXT = "The plan names both people and the day of deletion; please read it again. " * 2
WIDTHS = [(1440, False), (390, True)]


def _window(
    open_browser: Callable[..., BrowserContext], url: str, user: User, width: int, dark: bool
) -> Page:
    client = Client()
    client.force_login(user)
    name = portal_settings.SESSION_COOKIE_NAME
    context = open_browser(width=width, dark=dark)
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url}])
    return context.new_page()


def _assert_fit(page: Page) -> None:
    """Neither scrolls sideways nor fails axe."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = axe_violations(page)
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


@pytest.mark.parametrize(("width", "dark"), WIDTHS)
def test_a_decision_is_confirmed_undone_and_appealed(
    width: int,
    dark: bool,
    store: Path,
    gated_tier: Tier,
    start_portal: Callable[..., Portal],
    open_browser: Callable[..., BrowserContext],
) -> None:
    applicant = factories.person("grace")
    first = factories.staff("first", Role.REVIEWER, gated_tier)
    second = factories.staff("second", Role.REVIEWER, gated_tier)
    application = factories.submitted(applicant, gated_tier)
    portal = start_portal(settings_={"DECISION_UNDO_SECONDS": "600"})
    people = (applicant, first, second)
    hers, desk, other = (_window(open_browser, portal.url, one, width, dark) for one in people)
    status = f"{portal.url}/applications/{application.public_id}/"
    review = f"{portal.url}/admin/accounts/application/{application.pk}/change/"

    desk.goto(review)
    desk.locator("label[for=verdict-approve]").click()
    desk.wait_for_selector(".mail-text:visible")
    desk.locator("button.decide-approve:visible").click()
    desk.get_by_text("Is the applicant clearly identified?").first.wait_for()
    _assert_fit(desk)
    desk.get_by_role("button", name="Approve anyway").click()
    button = desk.get_by_role("button", name="Undo")
    expect(button).to_have_text(re.compile(r"Undo \(\d+ s\)"))
    _assert_fit(desk)
    hers.goto(status)
    assert hers.get_by_text("A reviewer is reading your application").count() == 1
    button.click()
    desk.get_by_text("it is on your desk again").wait_for()

    desk.locator("label[for=verdict-reject]").click()
    desk.get_by_role("checkbox", name="The storage and deletion plan is not sufficient").check()
    desk.locator("#note").fill(NOTE)
    desk.wait_for_selector(f".mail-text:has-text('{NOTE}')")
    desk.locator("button.decide-reject:visible").click()
    desk.get_by_role("button", name="Undo").wait_for()
    application.refresh_from_db()
    assert undo_window.finish(application.pk, now=application.pending_until)

    hers.reload()
    hers.get_by_label("Why the decision should change").fill(TEXT)
    _assert_fit(hers)
    hers.get_by_role("button", name="Appeal the decision").click()
    hers.get_by_text("Your appeal A-").first.wait_for()
    _assert_fit(hers)
    appeal = Application.objects.get(kind="appeal")
    other.goto(review.replace(f"/{application.pk}/", f"/{appeal.pk}/"))
    other.get_by_text("The plan names both people").wait_for()
    _assert_fit(other)
    desk.goto(review.replace(f"/{application.pk}/", f"/{appeal.pk}/"))
    assert desk.locator("#decide").count() == 0
