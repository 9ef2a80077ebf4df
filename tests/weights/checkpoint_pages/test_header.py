"""The header that all pages of a checkpoint share."""

import re

import pytest
from django.test import Client

from accounts.tiers.models import Tier
from tests.support import factories
from weights.catalogue import file_facts, opt_family
from weights.catalogue.models import Checkpoint

pytestmark = [pytest.mark.one_database, pytest.mark.usefixtures("store")]


def tabs(page: str) -> list[tuple[str, str]]:
    """(URL, label) of the tabs."""
    part = page[page.index('class="repo-tabs"') : page.index("</header>", page.index("repo-tabs"))]
    return re.findall(r'<a href="([^"]+)"[^>]*>\s*(\w+)', part)


def test_every_page_of_a_checkpoint_has_its_figures_and_tabs(
    client: Client, open_tier: Tier
) -> None:
    revision = factories.published("acme/open", parameters=125_239_296)
    file_facts.read_revision(revision)
    places = {
        "": "Card",
        "/tree/main": "Files",
        "/blob/main/config.json": "Files",
        "/commits/main": "Versions",
        "/compare/main...main": "Versions",
        "/issues": "Issues",
    }
    for place, tab in places.items():
        page = client.get(f"/acme/open{place}").content.decode()
        assert tabs(page) == [
            ("/acme/open", "Card"),
            ("/acme/open/tree/main", "Files"),
            ("/acme/open/commits/main", "Versions"),
            ("/acme/open/issues", "Issues"),
        ]
        assert re.search(rf'aria-current="page">\s*{tab}', page), place
        assert 'title="125,239,296">125.2 million' in page
        assert ">opt<" in page
        assert "Downloads in 30 days" in page
        assert page.count("<h1") == 1


def test_an_entry_of_facts_has_no_tab_that_leads_nowhere(client: Client, db: None) -> None:
    opt_family.load()
    page = client.get("/facebook/opt-175b").content.decode()
    assert [label for _, label in tabs(page)] == ["Card", "Issues"]
    assert "174.6 billion" in page


def test_the_title_that_owners_set_is_shown_on_every_tab(client: Client, open_tier: Tier) -> None:
    revision = factories.published("acme/titled", open_tier)
    Checkpoint.objects.filter(pk=revision.checkpoint_id).update(title="A <b>title</b>")
    for page in ("", "/tree/main", "/commits/main", "/issues"):
        shown = client.get(f"/acme/titled{page}").text
        assert "<strong>A &lt;b&gt;title&lt;/b&gt;</strong>" in shown, page
