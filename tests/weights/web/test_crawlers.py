"""robots.txt, sitemap, release feed and meta tags name only what is public."""

from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.test import Client
from django.utils import timezone

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.catalogue.models import Checkpoint

pytestmark = pytest.mark.django_db

HIDDEN = ("secret", "later")


@pytest.fixture(autouse=True)
def _checkpoints(store: object, open_tier: Tier, gated_tier: Tier) -> None:
    factories.published("acme/open", open_tier)
    factories.published("acme/gated", gated_tier)
    for name in HIDDEN:
        factories.published(f"acme/{name}", open_tier)
    Checkpoint.objects.filter(name="secret").update(private=True)
    tomorrow = timezone.now() + timedelta(days=1)
    Checkpoint.objects.filter(name="later").update(embargo_until=tomorrow)


@pytest.mark.slow
def test_the_sitemap_lists_public_pages_at_the_public_origin(client: Client) -> None:
    answer = client.get("/sitemap.xml")  # of the host "testserver"
    root = ElementTree.fromstring(answer.content)  # noqa: S314 - ours
    urls = {str(element.text) for element in root.findall(".//{*}loc")}
    origin = settings.PUBLIC_URL
    assert {f"{origin}/", f"{origin}/acme/open", f"{origin}/acme/gated"} <= urls
    assert f"{origin}/tiers/open/" in urls
    assert all(url.startswith(origin) for url in urls)
    for url in urls:
        assert client.get(url.removeprefix(origin)).status_code == 200, url


@pytest.mark.parametrize("path", ["/sitemap.xml", "/releases.atom"])
def test_hidden_checkpoints_are_in_no_list_whoever_asks(
    client: Client, path: str, release_owner: User
) -> None:
    client.force_login(release_owner)
    text = client.get(path).text
    assert "acme/gated" in text
    assert not [name for name in HIDDEN if name in text]


def test_robots_are_kept_from_personal_pages_and_pointed_at_the_sitemap(client: Client) -> None:
    text = client.get("/robots.txt").text
    assert "Disallow: /access/\n" in text
    assert f"Sitemap: {settings.PUBLIC_URL}/sitemap.xml\n" in text
    assert settings.ADMIN_PATH.strip("/") not in text


def test_the_feed_has_one_entry_a_revision_newest_first(client: Client) -> None:
    feed = ElementTree.fromstring(client.get("/releases.atom").content)  # noqa: S314 - ours
    titles = [element.text or "" for element in feed.findall("{*}entry/{*}title")]
    assert [title.split()[0] for title in titles] == ["acme/gated", "acme/open"]
    for link in feed.findall("{*}entry/{*}link"):
        assert client.get(link.get("href", "").removeprefix(settings.PUBLIC_URL)).status_code == 200


def test_a_browser_that_asks_for_the_icon_by_habit_gets_it(client: Client) -> None:
    target = client.get("/favicon.ico").headers["Location"]
    assert target == static("img/favicon.ico")
    file = finders.find("img/favicon.ico")
    assert file is not None
    assert Path(file).read_bytes().startswith(b"\x00\x00\x01\x00"), "an icon file"


def test_a_page_describes_itself_to_search_engines_and_messengers(client: Client) -> None:
    Checkpoint.objects.filter(name="open").update(summary='Weights & "words"')
    page = client.get("/acme/open").text
    assert '<meta property="og:title" content="acme/open">' in page
    assert 'name="description" content="Weights &amp; &quot;words&quot;"' in page
    assert f'og:url" content="{settings.PUBLIC_URL}/acme/open"' in page
