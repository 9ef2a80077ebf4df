"""Home and catalogue."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from tests.support import factories
from weights.catalogue import download_counts, opt_family, views
from weights.catalogue.models import Checkpoint, Family
from weights.publishing import intake
from weights.publishing.models import Revision
from weights.web.process_copy import ProcessCopy

pytestmark = pytest.mark.one_database


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert client.get(address).status_code == 200
    return len(found)


def entry(name: str, tier: Tier, **facts: object) -> Checkpoint:
    """A catalogue entry without bytes."""
    return Checkpoint.objects.create(org="acme", name=name, tier=tier, **facts)


@pytest.mark.parametrize("address", ["/", "/models"])
def test_an_empty_portal_says_what_will_be_there(client: Client, db: None, address: str) -> None:
    assert client.get(address).status_code == 200


def test_home_shows_the_family_and_links_to_each_size(client: Client, db: None) -> None:
    opt_family.load()
    page = client.get("/").content.decode()
    for size in ("125m", "350m", "1.3b", "2.7b", "6.7b", "13b", "30b", "66b", "175b"):
        assert f'href="/facebook/opt-{size}"' in page
    assert "174.6 billion" in page


def test_home_counts_the_files_of_a_large_portal_seldom_except_for_staff(
    client: Client, open_tier: Tier, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A hundred thousand files take too long here, and no other test may see this copy.
    monkeypatch.setattr(views, "LARGE", 1)
    monkeypatch.setattr(views, "_copy", ProcessCopy(seconds=300))
    auditor = Client()
    auditor.force_login(factories.staff("auditor", Role.AUDITOR))

    def published(reader: Client) -> int:
        figures = {label: value for label, value, _ in reader.get("/").context["figures"]}
        return int(figures["checkpoints published here"])

    factories.published("acme/first", tier=open_tier)
    assert published(auditor) == published(client) == 1
    factories.published("acme/second", tier=open_tier)
    assert (published(auditor), published(client)) == (2, 1)
    # Five minutes later.
    views._copy.forget()
    assert published(client) == 2


def test_homes_chart_separates_published_checkpoints_from_facts_only_entries(
    client: Client, open_tier: Tier, store: Path
) -> None:
    family = Family.objects.create(slug="acme", name="Acme")
    factories.published("acme/held", tier=open_tier)
    Checkpoint.objects.update(family=family, parameters=10**9)
    entry("absent", open_tier, family=family, parameters=10**10)
    page = " ".join(client.get("/").content.decode().split())
    assert page.count('<a href="/acme/absent" class="facts-only"') == 2  # wide and narrow
    assert page.count('<a href="/acme/held" class="facts-only"') == 0
    assert "10 billion parameters, open, facts only" in page
    assert "1 billion parameters, open, published" in page


def test_home_draws_the_largest_checkpoints_of_the_first_family_alone(
    client: Client, open_tier: Tier, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A bound made small: 40 checkpoints would show no more.
    monkeypatch.setattr(views, "MOST_IN_CHART", 2)
    last, empty, first = (
        Family.objects.create(slug=slug, name=slug.title(), position=position)
        for slug, position in (("zebra", 2), ("empty", 0), ("ant", 1))
    )
    entry("other", open_tier, family=last, parameters=10**11)
    entry("hidden", open_tier, family=empty, parameters=10**11, private=True)
    for name, size in (("large", 10**10), ("small", 10**8), ("middle", 10**9)):
        entry(name, open_tier, family=first, parameters=size)
    page = client.get("/")
    assert [one.name for one in page.context["sized"]] == ["middle", "large"]
    assert "The Ant family, by number of parameters" in page.content.decode()
    assert "/models?family=ant" in page.content.decode()


def test_the_catalogue_lists_entries_without_weights(client: Client, db: None) -> None:
    opt_family.load()
    page = client.get("/models").content.decode()
    assert "facebook/opt-175b" in page
    assert page.count("facts only") == 9


@pytest.mark.parametrize("address", ["/", "/models"])
def test_a_first_revision_that_is_being_verified_is_announced(
    client: Client, open_tier: Tier, store: Path, tmp_path: Path, address: str
) -> None:
    (tmp_path / "config.json").write_text("{}")
    revision = intake.publish(tmp_path, "acme/new", tier="open")
    family = Family.objects.create(slug="acme", name="Acme")
    Checkpoint.objects.update(family=family, parameters=10**9)
    page = client.get(address).content.decode()
    assert revision.state == Revision.State.PENDING
    assert "being verified" in page
    assert "facts only" not in page


def test_search_tier_and_held_narrow_the_list(
    client: Client, open_tier: Tier, gated_tier: Tier, store: Path
) -> None:
    factories.published("acme/held", tier=open_tier)
    entry("absent", open_tier, summary="A model of birdsong")
    entry("gated", gated_tier)

    def named(query: str) -> set[str]:
        listed = client.get(f"/models?{query}").context["checkpoints"]
        return {entry.checkpoint.name for entry in listed}

    assert named("") == {"held", "absent", "gated"}
    assert named("q=birdsong") == {"absent"}
    assert named("q=ACME+gat") == {"gated"}
    assert named("tier=opt-175b") == {"gated"}
    assert named("held=yes") == {"held"}
    assert named("q=nothing-like-it") == set()


@pytest.mark.parametrize("query", ["q=%00", "sort=bad", "tier='--", "q=" + "x" * 5000, "q=%ff"])
def test_no_query_makes_it_fail(client: Client, db: None, query: str) -> None:
    assert client.get(f"/models?{query}").status_code == 200


def test_a_search_term_is_shown_as_text(client: Client, db: None) -> None:
    page = client.get("/models", {"q": '"><script>alert(1)</script>'}).content.decode()
    assert "<script>alert" not in page


def test_private_and_embargoed_entries_are_not_listed(client: Client, open_tier: Tier) -> None:
    entry("secret", open_tier, private=True)
    entry("later", open_tier, embargo_until=timezone.now() + timedelta(days=1))
    page = client.get("/models").content.decode()
    assert "secret" not in page
    assert "later" not in page


@pytest.mark.parametrize("address", ["/", "/models"])
def test_queries_do_not_grow_with_the_list(
    client: Client,
    open_tier: Tier,
    store: Path,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Counts that took long are cached, which saves a query on a loaded machine.
    monkeypatch.setattr(download_counts, "_CACHE_FACTOR", 0)
    factories.published("acme/first", tier=open_tier)
    before = queries(client, address)
    for number in range(4):
        factories.published(f"acme/more-{number}", tier=open_tier)
        entry(f"entry-{number}", open_tier)
    assert queries(client, address) == before <= 8
