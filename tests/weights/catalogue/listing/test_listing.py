"""The catalogue's filters, facets and orders, for five kinds of users."""

import random
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.api_tokens.models import Scope
from accounts.roles.permissions import Role
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.hub_api.listings import card, ids
from weights.catalogue import download_counts, file_facts
from weights.catalogue.listing.filters import SIZES, size_class
from weights.catalogue.listing.ordering import natural_key
from weights.catalogue.models import Checkpoint, Family, MeasuredFacts
from weights.catalogue.search import documents
from weights.web.process_copy import ProcessCopy

pytestmark = pytest.mark.django_db

TASKS = ["text-generation", "fill-mask", ""]
LICENCES = ["mit", "apache-2.0", ""]
PARAMETERS = [None, 125_000_000, 1_300_000_000, 6_700_000_000, 175_000_000_000]


def entry(name: str, tier: Tier, **fields: object) -> Checkpoint:
    return Checkpoint.objects.create(org="acme", name=name, tier=tier, **fields)


def listed(client: Client, query: str = "") -> list[str]:
    page = client.get(f"/models?{query}")
    assert page.status_code == 200
    return [one.checkpoint.name for one in page.context["checkpoints"]]


def counts(client: Client, query: str = "") -> dict[str, dict[str, int]]:
    page = client.get(f"/models?{query}")
    return {
        facet.name: {one.value: one.count for one in facet.options}
        for facet in page.context["facets"]
    }


class World:
    """Random checkpoints in three tiers, and five kinds of users."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        self.tiers = [
            factories.tier("open", AccessMode.OPEN),
            factories.tier("click", AccessMode.CLICK_THROUGH),
            factories.tier("reviewed", AccessMode.REVIEWED),
        ]
        self.expected: dict[str, dict[str, str]] = {}
        for number in range(14):
            self._publish(f"model-{number}")
        granted = factories.person("granted")
        factories.grant(granted, self.tiers[2])
        self.users: dict[str, User | None] = {
            "nobody": None,
            "person": factories.person("person"),
            "granted": granted,
            "owner": factories.staff("release", Role.RELEASE_OWNER),
            "owner of click": factories.staff("scoped", Role.RELEASE_OWNER, self.tiers[1]),
        }

    def _publish(self, name: str) -> None:
        choice = self.choose.choice
        tier, task, licence = choice(self.tiers), choice(TASKS), choice(LICENCES)
        parameters, hidden = choice(PARAMETERS), choice(["", "", "private", "embargo"])
        lines: dict[str, Any] = {"tags": [f"tag{self.choose.randrange(3)}", "secretword"]}
        lines |= {"pipeline_tag": task} if task else {}
        lines |= {"license": licence} if licence else {}
        revision = factories.published(
            f"acme/{name}",
            tier,
            {"README.md": card(**lines), "model.safetensors": factories.safetensors(b"x")},
            private=hidden == "private",
            embargo_until=timezone.now() + timedelta(days=1) if hidden == "embargo" else None,
            parameters=parameters,
        )
        revision.licence = {"code": licence} if licence else {}
        revision.save()
        file_facts.read_revision(revision)
        self.expected[name] = {
            "hidden": hidden,
            "tier": tier.slug,
            "task": task,
            "licence": tier.licence.slug if tier.licence else licence,
            "size": size_class(parameters),
            "format": "safetensors",
            "tag": str(lines["tags"][0]),
        }

    def visible(self, user: str) -> dict[str, dict[str, str]]:
        """A naive filter: public ones, all for the owner, those of its tier for a scoped one."""
        return {
            name: facts
            for name, facts in self.expected.items()
            if not facts["hidden"]
            or user == "owner"
            or (user == "owner of click" and facts["tier"] == "click")
        }

    def client(self, user: str) -> Client:
        client, account = Client(), self.users[user]
        if account is not None:
            client.force_login(account)
        return client


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_lists_counts_and_search_agree_with_a_naive_filter_for_every_user(
    store: Path, seed: int
) -> None:
    world = World(seed)
    documents.sweep()
    for user in world.users:
        client, visible = world.client(user), world.visible(user)
        assert set(listed(client, "q=secretword")) == set(visible)
        for _ in range(4):
            wanted = {
                facet: sorted({world.choose.choice(list(world.expected.values()))[facet]} - {""})
                for facet in world.choose.sample(["tier", "task", "licence", "size"], 2)
            }
            wanted = {facet: values for facet, values in wanted.items() if values}
            query = urlencode(wanted, doseq=True)
            matching = {
                name
                for name, facts in visible.items()
                if all(facts[facet] in values for facet, values in wanted.items())
            }
            assert set(listed(client, query)) == matching, (user, query)
            for facet, found in counts(client, query).items():
                others = {one: values for one, values in wanted.items() if one != facet}
                for value, count in found.items():
                    assert count == sum(
                        facts[facet] == value and all(facts[o] in v for o, v in others.items())
                        for facts in visible.values()
                    ), (user, query, facet, value)


@pytest.mark.slow
def test_lists_of_the_hub_and_the_api_agree_with_the_page(store: Path) -> None:
    world = World(7)
    documents.sweep()
    for user, account in world.users.items():
        scopes = [Scope.READ_GATED]
        headers = (
            {"Authorization": f"Bearer {factories.token(account, *scopes)}"} if account else {}
        )
        expected = {
            f"acme/{name}" for name, one in world.visible(user).items() if one["tag"] == "tag1"
        }
        assert set(ids(Client(), "?filter=tag1&search=secretword", **headers)) == expected
        answer = Client().get("/api/v1/checkpoints?tag=tag1&search=secretword", headers=headers)
        assert {one["repo"] for one in answer.json()["checkpoints"]} == expected
        assert set(ids(Client(), "?author=ACME", **headers)) == {
            f"acme/{name}" for name in world.visible(user)
        }


def test_several_values_of_a_facet_add_up_and_facets_narrow(store: Path, client: Client) -> None:
    tiers = [factories.tier("open", AccessMode.OPEN), factories.tier("reviewed")]
    entry("small", tiers[0], parameters=10)
    entry("large", tiers[0], parameters=175 * 10**9)
    entry("gated", tiers[1], parameters=175 * 10**9)
    assert set(listed(client, "size=under-1b&size=from-70b")) == {"small", "large", "gated"}
    assert set(listed(client, "size=from-70b&tier=open")) == {"large"}
    found = counts(client, "size=from-70b&tier=open")
    assert found["size"] == {"under-1b": 1, "from-70b": 1}
    assert found["tier"] == {"open": 1, "reviewed": 1}
    page = client.get("/models?size=from-70b&tier=open").content.decode()
    assert 'href="?tier=open"' in page
    assert 'href="?size=from-70b"' in page


def test_a_counted_number_of_parameters_wins_over_a_declared_one(
    store: Path, client: Client
) -> None:
    revision = factories.published("acme/model", parameters=175 * 10**9)
    file_facts.read_revision(revision)
    MeasuredFacts.objects.update(parameters=7 * 10**9)
    assert listed(client, "size=3b-13b") == ["model"]
    assert "7 billion" in client.get("/models").content.decode()


def test_names_sort_by_size_and_not_by_digit(client: Client, open_tier: Tier) -> None:
    names = [
        "opt-175b",
        "opt-1.3b",
        "opt-125m",
        "opt-66b",
        "opt-350m",
        "v10",
        "v9",
        "opt",
        "opt-2b-x",
    ]
    for name in names:
        entry(name, open_tier)
    assert listed(client) == [
        *("opt", "opt-125m", "opt-350m", "opt-1.3b", "opt-2b-x", "opt-66b", "opt-175b", "v9", "v10")
    ]
    assert natural_key("OPT-1.3B") == natural_key("opt-1.3b")
    assert natural_key("8x7b") < natural_key("8x22b") < natural_key("70b")
    assert natural_key("a9big") < natural_key("a10big")


def test_orders_by_downloads_parameters_and_age(store: Path, client: Client) -> None:
    person = factories.person()
    for name, parameters in (("first", 10), ("second", 30), ("third", 20)):
        revision = factories.published(f"acme/{name}", parameters=parameters)
        if name == "third":
            factories.downloaded(person, revision)
    assert listed(client, "sort=downloads")[0] == "third"
    assert listed(client, "sort=newest") == ["third", "second", "first"]
    Checkpoint.objects.filter(name="first").update(parameters=None)
    assert listed(client, "sort=parameters") == ["second", "third", "first"]
    assert listed(client, "sort=relevance") == listed(client, "sort=bad") == listed(client)


def test_tags_and_families_filter_the_list(store: Path, client: Client) -> None:
    family = Family.objects.create(slug="opt", name="OPT")
    revision = factories.published(
        "acme/tagged", files={"README.md": card(tags=["Own Tag", "b"])}, family=family
    )
    file_facts.read_revision(revision)
    factories.published("acme/plain")
    assert listed(client, "tag=own+tag") == listed(client, "family=opt") == ["tagged"]
    assert listed(client, "tag=own+tag&tag=b") == ["tagged"]
    assert listed(client, "tag=own+tag&tag=c") == []


@pytest.mark.parametrize(
    "query",
    [
        *("tag=%00", "size=bad", "task=<script>", "format=%ff", "page=0", "page=x"),
        *("org=%ed%a0%80", "licence=" + "x" * 5000, "family='--"),
        "&".join(f"tag=t{n}" for n in range(500)),
    ],
    ids=range(10),
)
def test_hostile_parameters_neither_fail_nor_reach_the_page(
    client: Client, open_tier: Tier, query: str
) -> None:
    entry("model", open_tier)
    page = client.get(f"/models?{query}")
    assert page.status_code == 200
    assert b"<script>" not in page.content.replace(b"<script ", b"")


def test_pages_keep_the_filters(client: Client, open_tier: Tier) -> None:
    for number in range(60):
        entry(f"model-{number}", open_tier)
    page = client.get("/models?tier=open&q=model")
    assert len(page.context["checkpoints"]) == 50
    assert b"?tier=open&amp;q=model&amp;page=2" in page.content
    assert listed(client, "page=2")[0] == "model-50"


def test_queries_do_not_grow_with_the_list(store: Path, client: Client) -> None:
    query = "q=acme&tag=t&task=a&sort=downloads"

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200
        return len(captured)

    file_facts.read_revision(factories.published("acme/first"))
    few = {address: queries(address) for address in (f"/models?{query}", "/models", "/acme")}
    for number in range(5):
        file_facts.read_revision(factories.published(f"acme/more-{number}"))
    many = {address: queries(address) for address in few}
    # Download counts are cached at times, which saves one.
    assert max(*few.values(), *many.values()) <= 7
    assert all(many[address] <= few[address] + 1 for address in few)


def test_sizes_are_classed_without_gaps() -> None:
    assert [size_class(n) for n in (None, 0, 1, 10**9 - 1, 10**9, 10**12)] == [
        *("", "", "under-1b", "under-1b", "1b-3b", "from-70b")
    ]
    assert list(SIZES) == sorted(SIZES, key=lambda key: SIZES[key][1])


def test_a_large_catalogue_reads_its_rows_seldom_and_who_may_see_them_each_time(
    client: Client, monkeypatch: pytest.MonkeyPatch, store: Path
) -> None:
    rows = import_module("weights.catalogue.listing.rows")
    # A thousand checkpoints take too long here, and no other test may see this copy.
    monkeypatch.setattr(rows, "LARGE", 3)
    monkeypatch.setattr(rows, "_copy", ProcessCopy(seconds=20))
    tier = factories.tier("open", AccessMode.OPEN)
    for name in ("a", "b", "c"):
        factories.published(f"acme/{name}", tier)
    assert listed(client) == ["a", "b", "c"]
    # Reading the cards again would be reading the rows again.
    monkeypatch.setattr(rows, "_add_cards", pytest.fail)
    assert listed(client) == ["a", "b", "c"]
    Checkpoint.objects.filter(name="b").update(private=True)
    assert listed(client) == ["a", "c"]
    assert counts(client)["tier"] == {"open": 2}


def test_a_large_catalogue_shows_a_new_checkpoint_at_once_and_other_changes_after_seconds(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, tier = import_module("weights.catalogue.listing.rows"), factories.tier("open")
    # A thousand checkpoints take too long here, and no other test may see this copy.
    monkeypatch.setattr(rows, "LARGE", 1)
    monkeypatch.setattr(rows, "_copy", ProcessCopy(seconds=20))
    entry("small", tier, parameters=125_000_000)
    assert counts(client)["size"] == {"under-1b": 1}
    entry("new", tier, parameters=125_000_000)
    Checkpoint.objects.filter(name="small").update(parameters=175_000_000_000)
    assert counts(client)["size"] == {"under-1b": 2}
    rows._copy.forget()
    assert counts(client)["size"] == {"under-1b": 1, "from-70b": 1}


def test_a_large_catalogue_hides_checkpoints_from_one_reader_and_not_from_another(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, tier = import_module("weights.catalogue.listing.rows"), factories.tier("open")
    # A thousand checkpoints take too long here, and no other test may see this copy.
    monkeypatch.setattr(rows, "LARGE", 1)
    monkeypatch.setattr(rows, "_copy", ProcessCopy(seconds=20))
    auditor = Client()
    auditor.force_login(factories.staff("auditor", Role.AUDITOR))
    entry("open", tier)
    entry("private", tier, private=True)
    entry("embargo", tier, embargo_until=timezone.now() + timedelta(days=1))
    for _ in range(2):  # read, then found again in this process
        assert listed(client) == ["open"]
        assert listed(auditor) == ["embargo", "open", "private"]
    assert listed(client, "q=private") == []
    Checkpoint.objects.filter(name="embargo").update(embargo_until=timezone.now())
    assert listed(client) == ["embargo", "open"]
    Checkpoint.objects.filter(name="open").update(private=True)
    assert listed(client) == ["embargo"]
    Checkpoint.objects.filter(name="private").delete()
    assert counts(client)["tier"] == {"open": 1}, "not even the deleted one's facts show"


def test_download_counts_of_a_large_catalogue_are_read_from_the_cache_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No other test may see this copy.
    monkeypatch.setattr(download_counts, "_LARGE", 1)
    monkeypatch.setattr(download_counts, "_copy", ProcessCopy(seconds=20))
    cache.set("download-counts", {1: 7}, 50)
    assert download_counts.of_checkpoint(1) == 7
    # Reading the cache again is what must not happen.
    monkeypatch.setattr(cache, "get", pytest.fail)
    assert download_counts.of_checkpoint(1) == 7
