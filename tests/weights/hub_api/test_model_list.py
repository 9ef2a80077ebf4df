"""Listing and search of models."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import time_machine
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.hub_api.listings import card, ids, models, publish, tensors
from weights.catalogue import download_counts
from weights.catalogue.models import Checkpoint
from weights.hub_api import model_list
from weights.ledger.models import Download
from weights.publishing.models import Ref, Revision
from weights.storage.models import Blob

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf(db: None, store: Path, gated_tier: Tier) -> dict[str, Revision]:
    """Three checkpoints that differ in everything that can be filtered."""
    opt = card(tags=["opt", "Text"], pipeline_tag="text-generation", license="other", language="en")
    bert = card(tags=["bert"], pipeline_tag="fill-mask", library_name="transformers")
    return {
        "opt": publish("acme/opt-small", README_DOT_md=opt, model_DOT_safetensors=tensors(F16=10)),
        "bert": publish("acme/bert", README_DOT_md=bert, model_DOT_safetensors=tensors(F32=3000)),
        "big": publish("other/OPT-big", gated_tier, README_DOT_md=opt),
    }


def bearer(user: User, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {factories.token(user, *scopes)}"}


# -- filters ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"opt", "bert", "big"}),
        ("?search=opt", {"opt", "big"}),
        ("?search=ACME/opt", {"opt"}),
        ("?search=opt%20big", {"big"}),
        ("?search=100%25", set()),
        ("?author=acme", {"opt", "bert"}),
        ("?author=ac", set()),
        ("?filter=opt", {"opt", "big"}),
        ("?filter=op", set()),
        ("?filter=TEXT&filter=opt", {"opt", "big"}),
        ("?filter=opt&filter=bert", set()),
        ("?filter=license:other", {"opt", "big"}),
        ("?filter=transformers", {"bert"}),
        ("?filter=fill-mask", {"bert"}),
        ("?filter=en", {"opt", "big"}),
        ("?filter=%25", set()),
        ("?pipeline_tag=text-generation", {"opt", "big"}),
        ("?gated=true", {"big"}),
        ("?gated=False", {"opt", "bert"}),
        ("?num_parameters=min:1K", {"bert"}),
        ("?num_parameters=min:5,max:0.5K", {"opt"}),
        ("?num_parameters=few", {"opt", "bert", "big"}),
        ("?search=a%00b", set()),
        ("?filter=a%00b", set()),
        ("?author=a%00b", set()),
        ("?apps=vllm&inference=warm&direction=-1&nonsense=1", {"opt", "bert", "big"}),
        ("?author=acme&filter=opt&gated=false&pipeline_tag=text-generation", {"opt"}),
    ],
)
def test_each_filter_finds_the_matching_checkpoints(
    client: Client, shelf: dict[str, Revision], query: str, found: set[str]
) -> None:
    assert set(ids(client, query)) == {shelf[name].checkpoint.repo_id for name in found}


def test_only_published_and_visible_checkpoints_are_listed(
    client: Client, store: Path, applicant: User, open_tier: Tier
) -> None:
    publish("acme/seen")
    Checkpoint.objects.create(org="acme", name="entry-only", tier=open_tier)
    hidden = publish("acme/hidden").checkpoint
    hidden.private = True
    hidden.save()
    later = publish("acme/later").checkpoint
    later.embargo_until = timezone.now() + timedelta(days=1)
    later.save()
    owner = factories.staff("release", Role.RELEASE_OWNER)
    assert ids(client) == ids(client, **bearer(applicant)) == ["acme/seen"]
    assert set(ids(client, **bearer(owner, "read-gated"))) == {
        "acme/seen",
        "acme/hidden",
        "acme/later",
    }
    assert client.get("/api/models", headers={"Authorization": "Bearer x"}).status_code == 401


def test_the_card_that_main_points_at_is_searched_and_no_other(
    client: Client, shelf: dict[str, Revision]
) -> None:
    publish("acme/opt-small", README_DOT_md=card(tags=["renamed"]))
    assert ids(client, "?filter=opt") == ["other/OPT-big"]
    assert ids(client, "?filter=renamed") == ["acme/opt-small"]
    Blob.objects.filter(files__path="README.md").update(state=Blob.State.QUARANTINED)
    assert ids(client, "?filter=renamed") == []
    assert "renamed" not in str(models(client))


# -- order and pages -------------------------------------------------------------------


def test_every_order_starts_with_the_largest(client: Client, shelf: dict[str, Revision]) -> None:
    now = timezone.now()
    for age, name in enumerate(["big", "opt", "bert"]):
        revision = shelf[name]
        at = now - timedelta(days=age)
        Checkpoint.objects.filter(pk=revision.checkpoint_id).update(created_at=at)
        Revision.objects.filter(pk=revision.pk).update(visible_at=now + timedelta(days=age))
    for person in (1, 2):
        fetched(shelf["opt"], user_id=person)
    fetched(shelf["bert"])
    big, opt, bert = "other/OPT-big", "acme/opt-small", "acme/bert"
    assert ids(client, "?sort=createdAt") == [big, opt, bert]
    assert ids(client, "?sort=lastModified") == [bert, opt, big]
    assert ids(client, "?sort=downloads") == ids(client, "?sort=trendingScore") == [opt, bert, big]
    assert ids(client, "?sort=likes") == ids(client, "?sort=likes&limit=9")
    assert ids(client, "?sort=nonsense") == [opt, bert, big]


def fetched(revision: Revision, /, **facts: Any) -> Download:
    row = {"outcome": Download.Outcome.SERVED, "credential_kind": "anonymous"} | facts
    row = {"revision": revision.sha, "network": "192.0.2.0/24"} | row
    return Download.objects.create(checkpoint_id=revision.checkpoint_id, repo_id="x/y", **row)


def test_downloads_are_counted_from_the_ledger(client: Client, shelf: dict[str, Revision]) -> None:
    opt = shelf["opt"]
    fetched(opt)
    fetched(opt, outcome=Download.Outcome.REDIRECTED, user_id=1)
    fetched(opt, outcome=Download.Outcome.REFUSED, user_id=2)
    fetched(opt, outcome=Download.Outcome.SHOWN, user_id=3)
    with time_machine.travel(timezone.now() - timedelta(days=31)):
        fetched(opt)
    counts = {model["id"]: model["downloads"] for model in models(client)}
    assert counts == {"acme/opt-small": 2, "acme/bert": 0, "other/OPT-big": 0}
    assert client.get("/api/models/acme/opt-small").json()["downloads"] == 2


@pytest.mark.slow
@pytest.mark.requirement("OP-9")
def test_one_caller_revision_and_day_are_one_download(
    shelf: dict[str, Revision], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_counts, "_CACHE_FACTOR", 0)  # counted each time
    opt = shelf["opt"]

    def count() -> int:
        return download_counts.of_checkpoint(opt.checkpoint_id)

    noon = timezone.now().replace(hour=12)
    with time_machine.travel(noon, tick=False):
        for number in range(992):
            fetched(opt, path=f"shard-{number}", user_id=1, network="192.0.2.0/24")
            fetched(opt, path=f"shard-{number}", user_id=1, network="198.51.100.0/24", start=10)
        assert count() == 1, "files and parts, from wherever the account comes"
        fetched(opt)
        fetched(opt, path="other")
        assert count() == 2, "an anonymous caller is a network"
        fetched(opt, network="203.0.113.0/24")
        assert count() == 3
        fetched(opt, user_id=1, revision="another revision")
        assert count() == 4
    with time_machine.travel(noon - timedelta(days=1), tick=False):
        fetched(opt, user_id=1)
    assert count() == 5, "another day"


def test_a_count_that_took_long_is_remembered(
    shelf: dict[str, Revision], monkeypatch: pytest.MonkeyPatch
) -> None:
    cached: list[tuple[Any, ...]] = []
    with monkeypatch.context() as patch:
        # Half a second of counting, which rows that slow would take longer to make.
        patch.setattr("weights.catalogue.download_counts.time", Ticks(0.0, 0.5))
        patch.setattr(cache, "set", lambda *args: cached.append(args))
        assert download_counts.of_checkpoint(shelf["opt"].checkpoint_id) == 0
    assert cached == [("download-counts", {}, 50)]
    cache.set("download-counts", {shelf["opt"].checkpoint_id: 7}, 50)
    assert download_counts.of_checkpoint(shelf["opt"].checkpoint_id) == 7


def test_without_a_cache_downloads_are_counted_each_time(
    client: Client, shelf: dict[str, Revision], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise redis.ConnectionError("no cache")

    # A cache server that is gone, without the seconds until that is noticed.
    monkeypatch.setattr(cache, "get", gone)
    monkeypatch.setattr(cache, "set", gone)
    monkeypatch.setattr("weights.catalogue.download_counts.time", Ticks(0.0, 9.0))
    fetched(shelf["opt"])
    assert download_counts.of_checkpoint(shelf["opt"].checkpoint_id) == 1


class Ticks:
    """A clock that shows these moments in turn."""

    def __init__(self, *moments: float) -> None:
        self.monotonic = iter(moments).__next__


@pytest.mark.parametrize("sort", ["createdAt", "lastModified", "downloads", "likes"])
def test_every_model_is_on_one_page_while_others_come(
    client: Client, shelf: dict[str, Revision], settings: Settings, sort: str
) -> None:
    settings.PUBLIC_URL = "https://weights.example.org"
    expected = ids(client, f"?sort={sort}")
    found, query = [], f"?sort={sort}&limit=1&filter="
    while query:
        response = client.get(f"/api/models{query}")
        found += [model["id"] for model in response.json()]
        link = response.headers.get("Link", "")
        if len(found) == 1:
            publish("acme/newcomer")
        query = link.partition("/api/models")[2].partition(">")[0]
        assert not link or link.startswith("<https://weights.example.org/api/models?sort=")
        assert not link or link.endswith('; rel="next"')
    assert [name for name in found if name != "acme/newcomer"] == expected
    assert len(found) == len(set(found))


@pytest.mark.parametrize("cursor", ["x", "1", ":", "1:x", "9" * 40 + ":1", "\u0661:\u0661", "%00"])
def test_a_forged_cursor_starts_from_the_beginning(
    client: Client, shelf: dict[str, Revision], cursor: str
) -> None:
    assert len(ids(client, f"?cursor={cursor}")) == 3


@pytest.mark.parametrize("limit", ["0", "-1", "x", "", "9" * 30])
def test_a_limit_that_is_none_bounds_nothing(
    client: Client, shelf: dict[str, Revision], limit: str
) -> None:
    assert len(ids(client, f"?limit={limit}")) == 3


def test_a_page_with_files_is_shorter(
    client: Client, shelf: dict[str, Revision], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A bound made small: three checkpoints are more than it.
    monkeypatch.setattr(model_list, "FULL_PAGE_SIZE", 2)
    assert len(ids(client, "?full=true")) == len(ids(client, "?expand=siblings")) == 2
    assert len(ids(client, "?expand=tags")) == 3


# -- the payload -----------------------------------------------------------------------


def test_an_entry_has_the_properties_of_the_hub(client: Client, shelf: dict[str, Revision]) -> None:
    by_id = {model["id"]: model for model in models(client)}
    opt = by_id["acme/opt-small"]
    assert opt["tags"] == ["opt", "Text", "text-generation", "en", "license:other"]
    assert (opt["pipeline_tag"], opt["author"], opt["gated"]) == ("text-generation", "acme", False)
    assert (opt["sha"], opt["private"], opt["likes"]) == (shelf["opt"].sha, False, 0)
    assert opt["lastModified"].endswith("Z")
    assert not {"siblings", "cardData", "config", "safetensors"} & set(opt)
    assert by_id["other/OPT-big"]["gated"] == "manual"


def test_optional_properties_are_sent_on_request(client: Client, store: Path) -> None:
    config = {"model_type": "opt", "architectures": ["OPTForCausalLM"], "secret": "x"}
    publish(
        "acme/m",
        README_DOT_md=card(tags=["a"]),
        config_DOT_json=json.dumps(config).encode(),
        model_DOT_safetensors=tensors(BF16=7, F32=1),
    )
    (full,) = models(client, "?full=true&cardData=true&config=true")
    paths = [{"rfilename": name} for name in ("README.md", "config.json", "model.safetensors")]
    assert full["siblings"] == paths
    assert full["cardData"] == {"tags": ["a"]}
    assert full["config"] == {"model_type": "opt", "architectures": ["OPTForCausalLM"]}
    (expanded,) = models(client, "?expand=safetensors&expand=likes&expand=absent")
    counts = {"parameters": {"BF16": 7, "F32": 1}, "total": 8}
    assert expanded == {"id": "acme/m", "likes": 0, "safetensors": counts}
    one = client.get("/api/models/acme/m?expand=safetensors&expand=sha").json()
    assert set(one) == {"id", "safetensors", "sha"}


def test_a_checkpoint_without_main_is_listed_without_a_revision(
    client: Client, shelf: dict[str, Revision]
) -> None:
    Ref.objects.filter(checkpoint=shelf["opt"].checkpoint).delete()
    payload = {model["id"]: model for model in models(client, "?full=true")}["acme/opt-small"]
    assert "sha" not in payload
    assert payload["siblings"] == []


@pytest.mark.slow
def test_a_listing_costs_the_same_for_one_and_for_many(
    client: Client,
    shelf: dict[str, Revision],
    applicant: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    query = "?full=true&cardData=true&filter=opt&search=o&num_parameters=max:9T&sort=downloads"
    token = bearer(applicant)
    ids(client, **token)  # notes the token's use
    for count in (1, 12):
        for number in range(count):
            publish(f"acme/more-{count}-{number}", README_DOT_md=card(tags=["opt"]))
        with django_assert_max_num_queries(6):
            models(client, **token)
        with django_assert_max_num_queries(10):
            models(client, query, **token)


def test_listing_reads_nothing_from_the_store(
    client: Client, shelf: dict[str, Revision], monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed() -> None:
        raise AssertionError("the store was opened")

    # To be called is to fail.
    monkeypatch.setattr("weights.catalogue.file_facts.blob_storage", closed)
    assert len(models(client, "?full=true&cardData=true&config=true&expand=safetensors")) == 3


def test_posting_a_listing_is_refused(client: Client, db: None) -> None:
    assert client.post("/api/models").status_code == 405
