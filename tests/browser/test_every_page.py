"""Every page in a real browser: three widths, both colours, without scripts, and as valid HTML."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import models
from playwright.sync_api import BrowserContext
from pytest_django import Settings

from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from tests.conftest import MISSING
from tests.portal.admin import tier_records
from tests.support import factories, html_checker, tools
from tests.support.browser import page_table, site
from tests.support.browser.page_faults import FOR_AXE, Inspector
from tests.support.browser.site import Site
from tests.support.servers.live import Portal

pytestmark = [pytest.mark.browser, pytest.mark.one_database]


#: Models whose pages have between them every kind of list, form and field.
_EACH_KIND = {"grant", "tier", "logbookentry", "auditevent", "blob"}


def test_every_route_is_a_page_of_the_table_or_has_a_reason() -> None:
    assert page_table.routes_without_an_entry() == set(), "see the docstring of page_table.py"
    assert page_table.reasons_without_a_route() == set()


def test_every_page_of_the_site_is_sound(
    store: Path,
    settings: Settings,
    tmp_path: Path,
    start_portal: Callable[..., Portal],
    open_browser: Callable[..., BrowserContext],
) -> None:
    world = site.make(settings, tmp_path)
    world.url = start_portal().url
    faults: list[str] = []
    html: dict[str, bytes] = {}
    for reader, pages in page_table.PAGES.items():
        inspector = _inspector(world, open_browser, reader)
        for pattern, action in pages.items():
            inspector.inspect(world.address(pattern), action)
        if reader == "stranger":
            inspector.inspect(f"{world.url}/no/such/page", "Go to the home page", status=404)
        faults += inspector.faults
        html |= inspector.html
    assert "\n".join(faults) == ""
    _assert_valid(html, tmp_path)


def test_every_page_of_staff_is_sound(
    store: Path,
    tmp_path: Path,
    start_portal: Callable[..., Portal],
    open_browser: Callable[..., BrowserContext],
) -> None:
    records = tier_records.make_all()
    reader = factories.person("everything")
    for role in Role:
        RoleAssignment.objects.assign(reader, role)
    world = Site(sessions={"everything": site.session(reader)}, values=_numbers(records))
    world.url = start_portal().url
    inspector = _inspector(world, open_browser, "everything")
    for pattern, action in page_table.STAFF_PAGES.items():
        inspector.inspect(world.address(pattern), action)
    for address in page_table.staff_addresses(records, reader):
        is_chosen = any(f"/{name}/" in address for name in _EACH_KIND)
        inspector.inspect(world.url + address, for_axe=FOR_AXE if is_chosen else {(390, "dark")})
    assert "\n".join(inspector.faults) == ""
    _assert_valid(inspector.html, tmp_path)


def _inspector(world: Site, open_browser: Callable[..., BrowserContext], reader: str) -> Inspector:
    windows = open_browser(), open_browser(java_script_enabled=False)
    if reader in world.sessions:
        for window in windows:
            window.add_cookies([world.cookie(reader)])  # type: ignore[list-item]
    return Inspector.of(*windows)


def _assert_valid(html: dict[str, bytes], folder: Path) -> None:
    """Runs last: the rest of a test needs no checker."""
    if tools.find("vnu") is None:
        pytest.skip(f"{MISSING}: vnu")
    assert "\n".join(html_checker.findings(html, folder)) == ""


def _numbers(records: dict[type[models.Model], models.Model]) -> dict[str, str]:
    """The number of each record, by the name of its model in lower case."""
    return {str(model._meta.model_name): str(record.pk) for model, record in records.items()}
