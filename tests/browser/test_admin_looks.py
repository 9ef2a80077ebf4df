"""The colours and fonts of the admin in a real browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings as portal_settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page

from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.live import Portal

pytestmark = [pytest.mark.browser, pytest.mark.one_database]


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
