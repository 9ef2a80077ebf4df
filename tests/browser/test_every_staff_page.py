"""Every page of the admin in a real browser, like the others in `test_every_page.py`."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from tests.portal.admin import tier_records
from tests.support import factories
from tests.support.browser import page_table
from tests.support.browser.page_faults import FEWER_STATES, STATES, Inspector, assert_sound
from tests.support.browser.site import Site, session

pytestmark = [pytest.mark.browser, pytest.mark.one_database]

#: Models whose pages have between them every kind of list, form and field.
_EACH_KIND = {"grant", "tier", "logbookentry", "auditevent", "blob"}


@pytest.fixture(scope="module")
def site(share_site: Callable[..., Site]) -> Site:
    """A running portal with a record of every model, and a reader in every role."""
    return share_site(_make)


def _make(_folder: Path) -> Site:
    records = tier_records.make_all()
    reader = factories.person("everything")
    for role in Role:
        RoleAssignment.objects.assign(reader, role)
    numbers = {str(model._meta.model_name): str(one.pk) for model, one in records.items()}
    site = Site({"everything": session(reader)}, numbers)
    site.of_models = list(page_table.staff_addresses(records, reader))
    return site


@pytest.mark.parametrize("is_of_weights", [True, False], ids=["weights", "rest"])
def test_every_page_of_staff_is_sound(
    is_of_weights: bool, site: Site, tmp_path: Path, open_browser: Callable[..., BrowserContext]
) -> None:
    """Two halves, so that two processes can share the pages."""

    def is_here(address: str) -> bool:
        return address.startswith("/admin/weights/") == is_of_weights

    inspector = Inspector.of(open_browser(), open_browser(java_script_enabled=False))
    inspector.become(site.cookie("everything"))
    for pattern, action in page_table.STAFF_PAGES.items():
        if is_here(pattern):
            inspector.inspect(site.address(pattern), action)
    for address in filter(is_here, site.of_models):
        is_chosen = any(f"/{name}/" in address for name in _EACH_KIND)
        inspector.inspect(site.url + address, states=STATES if is_chosen else FEWER_STATES)
    assert_sound(inspector, tmp_path)
