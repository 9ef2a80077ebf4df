"""Every page of the admin in a real browser: on a phone, at a desk, light and dark."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as portal_settings
from django.contrib import admin
from django.db import models
from django.test import Client
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page

from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.users.models import User
from tests.portal.admin import tier_records
from tests.support import factories
from tests.support.servers.live import Portal
from weights.logbook.models import LogbookEntry

pytestmark = [pytest.mark.browser, pytest.mark.one_database]

#: What a finger must hit and is lower than the 24 px of WCAG 2.2, but for links in running text.
_SMALL = """
[...document.querySelectorAll("#container :is(a, button, select, summary, input)")]
  .filter(one => one.type !== "hidden" && one.checkVisibility() && one.offsetHeight)
  .filter(one => !one.closest("p, li:not(.object-tools li), dd, .help, label, .small"))
  .filter(one => getComputedStyle(one).position !== "absolute" && one.offsetHeight < 24)
  .map(one => one.outerHTML.slice(0, 80))"""
_SIDEWAYS = """
[document.documentElement, ...document.querySelectorAll(".results, .inline-group")]
  .filter(one => one.scrollWidth > one.clientWidth)
  .map(one => `${one.tagName} is ${one.scrollWidth - one.clientWidth} px wider than the window`)"""


@pytest.fixture
def pages(store: Path, start_portal: Callable[..., Portal]) -> list[str]:
    """The list, a record and its history of every model, and pages beside them."""
    records = tier_records.make_all()
    found = [
        reverse("admin:index"),
        reverse("admin:health"),
        reverse("admin:app_list", args=["accounts"]),
    ]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found.append(reverse(f"{name}_changelist"))
        if model in records:
            found += _of_record(name, records[model])
    return found


def _of_record(name: str, record: models.Model) -> list[str]:
    verbs = ["change", "history", *(["delete"] if isinstance(record, LogbookEntry) else [])]
    return [reverse(f"{name}_{verb}", args=[record.pk]) for verb in verbs]


def _open(portal: Portal, context: BrowserContext) -> Page:
    """A page of somebody who holds every role."""
    person = User.objects.filter(username="everything").first() or factories.person("everything")
    for role in Role:
        if not person.roles.filter(role=role).exists():
            RoleAssignment.objects.assign(person, role)
    client = Client()
    client.force_login(person)
    name = portal_settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": portal.url}])
    return context.new_page()


def _faults(page: Page, address: str) -> list[str]:
    response = page.goto(address)
    assert response is not None
    if response.status in {403, 404}:  # a page that no role opens
        return []
    assert response.status == 200, address
    return [
        f"{address}: {fault}" for script in (_SIDEWAYS, _SMALL) for fault in page.evaluate(script)
    ]


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_every_page_of_the_admin_fits_a_phone_and_a_finger(
    is_dark: bool,
    pages: list[str],
    start_portal: Callable[..., Portal],
    open_browser: Callable[..., BrowserContext],
) -> None:
    portal = start_portal()
    page = _open(portal, open_browser(width=390, dark=is_dark))
    assert [fault for path in pages for fault in _faults(page, portal.url + path)] == []


def test_lists_and_forms_of_the_admin_have_no_violations(
    pages: list[str],
    start_portal: Callable[..., Portal],
    open_browser: Callable[..., BrowserContext],
) -> None:
    portal = start_portal()
    wanted = ("index", "/grant/", "/tier/", "/logbookentry/", "/auditevent/", "/blob/")
    chosen = [path for path in pages if path == "/admin/" or any(one in path for one in wanted)]
    found = []
    for width, is_dark in ((390, True), (1440, False)):
        page = _open(portal, open_browser(width=width, dark=is_dark))
        for path in chosen:
            page.goto(portal.url + path)
            violations = Axe().run(page).response["violations"]
            found += [f"{path}: {one['id']} at {one['nodes'][0]['target']}" for one in violations]
    assert found == []


def test_the_admin_follows_the_readers_choice_of_colours(
    store: Path, start_portal: Callable[..., Portal], open_browser: Callable[..., BrowserContext]
) -> None:
    portal = start_portal()
    page = _open(portal, open_browser(dark=True))
    ground = "getComputedStyle(document.body).backgroundColor"
    page.goto(portal.url)
    dark = page.evaluate(ground)
    page.goto(portal.url + reverse("admin:index"))
    assert page.evaluate(ground) == dark
    page.get_by_role("button", name="Dark colours").click()
    light = page.evaluate(ground)
    assert light != dark
    page.goto(portal.url)
    assert page.evaluate(ground) == light
    font = "getComputedStyle(document.querySelector('h1')).fontFamily"
    serif = page.evaluate(font)
    page.goto(portal.url + reverse("admin:accounts_grant_changelist"))
    assert page.evaluate(font) == serif
