"""The pages of licences."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.tiers.models import Tier
from accounts.web.markdown import to_html

pytestmark = pytest.mark.one_database


def test_the_text_in_force_is_shown_with_its_hash(client: Client, gated_tier: Tier) -> None:
    licence = gated_tier.accepted_licence
    older = licence.in_force()
    assert older is not None
    newer = licence.versions.create(version="2", text="# New terms", summary="Clearer words")
    licence.versions.create(
        version="3", text="# Coming", effective_at=timezone.now() + timedelta(days=9)
    )
    page = client.get(f"/licences/{licence.slug}/").content.decode()
    assert newer.text_sha256 in page
    assert "New terms" in page
    assert older.text_sha256 not in page
    page = client.get(f"/licences/{licence.slug}/{older.version}/").content.decode()
    assert older.text_sha256 in page
    assert "not in force today" in page


@pytest.mark.parametrize("place", ["nothing/", "nothing/1/"])
def test_unknown_licences_are_404(client: Client, db: None, place: str) -> None:
    assert client.get(f"/licences/{place}").status_code == 404


def test_unknown_versions_are_404(client: Client, gated_tier: Tier) -> None:
    assert client.get(f"/licences/{gated_tier.accepted_licence.slug}/99/").status_code == 404


def test_a_licence_without_a_text_in_force_is_404(client: Client, gated_tier: Tier) -> None:
    gated_tier.accepted_licence.versions.all().delete()
    assert client.get(f"/licences/{gated_tier.accepted_licence.slug}/").status_code == 404


def test_the_list_names_each_licence(client: Client, gated_tier: Tier) -> None:
    assert gated_tier.accepted_licence.title in client.get("/licences/").content.decode()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<script>x</script>", "&lt;script&gt;"),
        ("[a](javascript:x)", "[a](javascript:x)"),
        ("[a](data:text/html,x)", "[a](data:text/html,x)"),
        ("# One\n### Three\n## Two", "<h2>One</h2>\n<h3>Three</h3>\n<h3>Two</h3>"),
        ("![words](http://elsewhere.example/a.png)", "<p>words</p>"),
        ("| a |\n|--:|\n| 1 |", "<td>1</td>"),
        ('[a](http://x.example "t")', 'rel="noopener noreferrer"'),
        ("[a](x.txt)", 'href="/base/x.txt"'),
        ("[a](/x.txt)", 'href="/x.txt"'),
    ],
)
def test_markdown_becomes_harmless_html(written: str, shown: str) -> None:
    assert shown in to_html(written, relative_to="/base/")
