"""Listing and search of models, and what a checkpoint's own files say of it."""

import json
import struct
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

from accounts.models import Tier, User
from accounts.roles import Role
from tests import factories
from weights import contents, download_counts, verification
from weights.contents import Contents
from weights.errors import StorageUnavailable
from weights.hub_api import catalog
from weights.models import Blob, Checkpoint, Download, FileFacts, Ref, Revision
from weights.storage import blob_storage

pytestmark = pytest.mark.django_db


def card(**lines: Any) -> bytes:
    return b"---\n" + json.dumps(lines).encode() + b"\n---\n# A model\n"


def tensors(**counts: int) -> bytes:
    """A safetensors file with so many parameters of each type; its data left out."""
    header = {dtype: {"dtype": dtype, "shape": [n]} for dtype, n in counts.items()}
    told = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    return struct.pack("<Q", len(told)) + told


def publish(name: str, tier: Tier | None = None, **files: bytes) -> Revision:
    """A checkpoint whose telling files were read, as verification leaves it."""
    named = {path.replace("_DOT_", "."): content for path, content in files.items()}
    revision = factories.published(name, tier, named or {"README.md": b"# None\n"})
    contents.note(revision)
    return revision


@pytest.fixture
def shelf(db: None, store: Path, gated_tier: Tier) -> dict[str, Revision]:
    """Three checkpoints that differ in all that one can ask for."""
    opt = card(tags=["opt", "Text"], pipeline_tag="text-generation", license="other", language="en")
    bert = card(tags=["bert"], pipeline_tag="fill-mask", library_name="transformers")
    return {
        "opt": publish("acme/opt-small", README_DOT_md=opt, model_DOT_safetensors=tensors(F16=10)),
        "bert": publish("acme/bert", README_DOT_md=bert, model_DOT_safetensors=tensors(F32=3000)),
        "big": publish("other/OPT-big", gated_tier, README_DOT_md=opt),
    }


def ids(client: Client, query: str = "", **headers: str) -> list[str]:
    return [model["id"] for model in models(client, query, **headers)]


def models(client: Client, query: str = "", **headers: str) -> list[dict[str, Any]]:
    response = client.get(f"/api/models{query}", headers=headers)
    assert response.status_code == 200, response.content
    return list(response.json())


def bearer(user: User, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {factories.token(user, *scopes)}"}


# -- which ---------------------------------------------------------------------------------


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
def test_each_filter_finds_what_it_says(
    client: Client, shelf: dict[str, Revision], query: str, found: set[str]
) -> None:
    assert set(ids(client, query)) == {shelf[name].checkpoint.repo_id for name in found}


def test_only_what_is_published_and_may_be_known_of_is_listed(
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
    assert set(ids(client, **bearer(owner))) == {"acme/seen", "acme/hidden", "acme/later"}
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


# -- in which order, how many --------------------------------------------------------------


def test_every_order_begins_with_the_most(client: Client, shelf: dict[str, Revision]) -> None:
    now = timezone.now()
    for age, name in enumerate(["big", "opt", "bert"]):
        revision = shelf[name]
        at = now - timedelta(days=age)
        Checkpoint.objects.filter(pk=revision.checkpoint_id).update(created_at=at)
        Revision.objects.filter(pk=revision.pk).update(visible_at=now + timedelta(days=age))
    for _ in range(2):
        fetched(shelf["opt"])
    fetched(shelf["bert"])
    big, opt, bert = "other/OPT-big", "acme/opt-small", "acme/bert"
    assert ids(client, "?sort=createdAt") == [big, opt, bert]
    assert ids(client, "?sort=lastModified") == [bert, opt, big]
    assert ids(client, "?sort=downloads") == ids(client, "?sort=trendingScore") == [opt, bert, big]
    assert ids(client, "?sort=likes") == ids(client, "?sort=likes&limit=9")
    assert ids(client, "?sort=nonsense") == [opt, bert, big]


def fetched(revision: Revision, **facts: Any) -> Download:
    given = {"outcome": Download.Outcome.SERVED, "credential_kind": "anonymous"} | facts
    return Download.objects.create(checkpoint_id=revision.checkpoint_id, repo_id="x/y", **given)


def test_downloads_are_counted_from_the_ledger(client: Client, shelf: dict[str, Revision]) -> None:
    opt = shelf["opt"]
    fetched(opt)
    fetched(opt, outcome=Download.Outcome.REDIRECTED)
    fetched(opt, outcome=Download.Outcome.REFUSED)
    fetched(opt, start=10)
    with time_machine.travel(timezone.now() - timedelta(days=31)):
        fetched(opt)
    told = {model["id"]: model["downloads"] for model in models(client)}
    assert told == {"acme/opt-small": 2, "acme/bert": 0, "other/OPT-big": 0}
    assert client.get("/api/models/acme/opt-small").json()["downloads"] == 2


def test_a_count_that_took_long_is_remembered(
    shelf: dict[str, Revision], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[Any, ...]] = []
    with monkeypatch.context() as patch:
        # Half a second of counting, which rows that slow would take longer to make.
        patch.setattr("weights.download_counts.time", Ticks(0.0, 0.5))
        patch.setattr(cache, "set", lambda *asked: kept.append(asked))
        assert download_counts.of(shelf["opt"].checkpoint_id) == 0
    assert kept == [("download-counts", {}, 50)]
    cache.set("download-counts", {shelf["opt"].checkpoint_id: 7}, 50)
    assert download_counts.of(shelf["opt"].checkpoint_id) == 7


def test_without_a_cache_downloads_are_counted_each_time(
    client: Client, shelf: dict[str, Revision], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise redis.ConnectionError("no cache")

    # A cache server that is gone, without the seconds until that is noticed.
    monkeypatch.setattr(cache, "get", gone)
    monkeypatch.setattr(cache, "set", gone)
    monkeypatch.setattr("weights.download_counts.time", Ticks(0.0, 9.0))
    fetched(shelf["opt"])
    assert download_counts.of(shelf["opt"].checkpoint_id) == 1


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
    seen, query = [], f"?sort={sort}&limit=1&filter="
    while query:
        response = client.get(f"/api/models{query}")
        seen += [model["id"] for model in response.json()]
        link = response.headers.get("Link", "")
        if len(seen) == 1:
            publish("acme/newcomer")
        query = link.partition("/api/models")[2].partition(">")[0]
        assert not link or link.startswith("<https://weights.example.org/api/models?sort=")
        assert not link or link.endswith('; rel="next"')
    assert [name for name in seen if name != "acme/newcomer"] == expected
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("cursor", ["x", "1", ":", "1:x", "9" * 40 + ":1", "\u0661:\u0661", "%00"])
def test_a_cursor_of_nobodys_making_begins_anew(
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
    monkeypatch.setattr(catalog, "FULL_PAGE", 2)
    assert len(ids(client, "?full=true")) == len(ids(client, "?expand=siblings")) == 2
    assert len(ids(client, "?expand=tags")) == 3


# -- what is told --------------------------------------------------------------------------


def test_a_line_tells_what_the_hub_tells(client: Client, shelf: dict[str, Revision]) -> None:
    told = {model["id"]: model for model in models(client)}
    opt = told["acme/opt-small"]
    assert opt["tags"] == ["opt", "Text", "text-generation", "en", "license:other"]
    assert (opt["pipeline_tag"], opt["author"], opt["gated"]) == ("text-generation", "acme", False)
    assert (opt["sha"], opt["private"], opt["likes"]) == (shelf["opt"].sha, False, 0)
    assert opt["lastModified"].endswith("Z")
    assert not {"siblings", "cardData", "config", "safetensors"} & set(opt)
    assert told["other/OPT-big"]["gated"] == "manual"


def test_more_is_told_to_those_who_ask(client: Client, store: Path) -> None:
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
    told = {model["id"]: model for model in models(client, "?full=true")}["acme/opt-small"]
    assert "sha" not in told
    assert told["siblings"] == []


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
    monkeypatch.setattr("weights.contents.blob_storage", closed)
    assert len(models(client, "?full=true&cardData=true&config=true&expand=safetensors")) == 3


def test_posting_a_listing_is_refused(client: Client, db: None) -> None:
    assert client.post("/api/models").status_code == 405


# -- what files say ------------------------------------------------------------------------


def told_of(client: Client, repo_id: str) -> Any:
    return client.get(f"/api/models/{repo_id}").json().get("safetensors")


def test_shards_are_added_up_and_one_file_wins_over_them(client: Client, store: Path) -> None:
    shards = {
        "model-00001-of-00002.safetensors": tensors(F16=100),
        "model-00002-of-00002.safetensors": tensors(F16=20, F32=3),
        "model.fp32.safetensors": tensors(F32=123),
        "nested/model.safetensors": tensors(F32=123),
    }
    contents.note(factories.published("acme/shards", files=shards))
    counts = {"parameters": {"F16": 120, "F32": 3}, "total": 123}
    assert told_of(client, "acme/shards") == counts
    whole = shards | {"model.safetensors": tensors(F16=120)}
    contents.note(factories.published("acme/both", files=whole))
    assert told_of(client, "acme/both") == {"parameters": {"F16": 120}, "total": 120}


def test_half_known_shards_are_not_told(client: Client, store: Path) -> None:
    shards = {
        f"model-0000{number}-of-00006.safetensors": tensors(F16=number) for number in range(1, 7)
    }
    revision = factories.published("acme/half", files=shards)
    assert told_of(client, "acme/half") is None  # too many to be read while one waits
    contents.note(revision)
    assert told_of(client, "acme/half") == {"parameters": {"F16": 21}, "total": 21}
    FileFacts.objects.filter(facts={"F16": 3}).update(facts={})
    assert told_of(client, "acme/half") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        b"\xff" * 64,
        struct.pack("<Q", 10) + b"{}",
        struct.pack("<Q", 4) + b"[[]]",
        struct.pack("<Q", 100_000) + b"[" * 100_000,
        tensors(F16=2**63),
        *(
            struct.pack("<Q", len(text)) + text
            for text in (
                b'{"a": 1}',
                b'{"a": {"dtype": "F32"}}',
                b'{"a": {"dtype": 4, "shape": [1]}}',
                b'{"a": {"dtype": "F32\\u0000", "shape": [1]}}',
                b'{"a": {"dtype": "F32", "shape": [-1]}}',
                b'{"a": {"dtype": "F32", "shape": [true]}}',
                b'{"a": {"dtype": "F32", "shape": [1.5]}}',
                b'{"a": {"dtype": "F32", "shape": [9223372036854775807, 9223372036854775807]}}',
            )
        ),
    ],
    ids=range(15),
)
def test_what_is_no_header_tells_nothing(client: Client, store: Path, content: bytes) -> None:
    contents.note(factories.published("acme/odd", files={"model.safetensors": content}))
    assert told_of(client, "acme/odd") is None
    assert FileFacts.objects.get().facts == {}


def test_a_hostile_card_and_configuration_are_kept_harmless(client: Client, store: Path) -> None:
    hostile = b'---\ntags: ["a\\0b", "\\ud800", "x\\ny", "' + b"t" * 300 + b'"]\nn: 0x' + b"f" * 99
    revision = factories.published(
        "acme/odd",
        files={
            "README.md": hostile + b"\nlicense: [1]\npipeline_tag: 4\n---\n",
            "config.json": b'{"model_type": "a\\u0000\\ud800", "architectures": [1]}',
        },
    )
    contents.note(revision)
    (told,) = models(client, "?cardData=true&config=true&full=true")
    assert told["cardData"]["n"] is None
    assert "\0" not in json.dumps(told)
    assert ids(client, "?filter=x%20y") == ["acme/odd"]


def test_a_large_header_is_read_whole(client: Client, store: Path) -> None:
    many = {f"layer.{n}.weight": {"dtype": "F32", "shape": [2, 2]} for n in range(5000)}
    told = json.dumps(many).encode()
    assert len(told) > 200_000
    contents.note(
        factories.published(
            "acme/large", files={"model.safetensors": struct.pack("<Q", len(told)) + told}
        )
    )
    assert told_of(client, "acme/large") == {"parameters": {"F32": 20_000}, "total": 20_000}


def test_each_content_is_read_once(
    client: Client, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("acme/first", README_DOT_md=card(tags=["same"]))
    # To be called is to fail.
    monkeypatch.setattr("weights.contents._read", lambda *_: pytest.fail("read again"))
    publish("acme/second", README_DOT_md=card(tags=["same"]))
    assert set(ids(client, "?filter=same")) == {"acme/first", "acme/second"}


def test_one_content_under_two_names_is_read_as_each(store: Path) -> None:
    both = {"README.md": b"{}", "config.json": b"{}"}
    revision = factories.published("acme/twins", files=both)
    contents.note(revision)
    assert set(FileFacts.objects.values_list("kind", flat=True)) == {"card", "config"}
    assert contents.of_revision(revision) == Contents()


def make_visible_anew() -> None:
    """Hide the one revision until its last step, the look at its one file's format, is done."""
    Revision.objects.update(state=Revision.State.PENDING)
    Blob.objects.update(inspect_due_at=timezone.now())
    verification.inspect(Blob.objects.get().pk)
    assert Revision.objects.get().state == Revision.State.VISIBLE


def test_a_revision_becomes_visible_with_its_facts_read(client: Client, store: Path) -> None:
    factories.published("acme/fresh", files={"README.md": card(tags=["fresh"])})
    make_visible_anew()
    assert ids(client, "?filter=fresh") == ["acme/fresh"]


def test_a_store_that_fails_delays_facts_but_no_revision(
    client: Client, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.published("acme/late", files={"README.md": card(tags=["late"])})

    def broken(*_: object) -> None:
        raise StorageUnavailable("no answer")

    with monkeypatch.context() as patch:
        # A store that answers nothing, at once; test_bad_store.py waits for a real one.
        patch.setattr(type(blob_storage()), "excerpt", broken)
        make_visible_anew()
        assert told_of(client, "acme/late") is None
        assert ids(client) == ["acme/late"]
    assert ids(client, "?filter=late") == []
    lost = factories.published("acme/lost", files={"README.md": card(tags=["lost"])})
    blob_storage().delete(lost.files.get().sha256)
    contents.sweep()
    assert ids(client, "?filter=late") == ["acme/late"]
    assert set(FileFacts.objects.values_list("tags", flat=True)) == {"\nlate\n"}


# -- who changed a file last ---------------------------------------------------------------


def last_commits(client: Client, repo_id: str, rest: str = "") -> dict[str, str]:
    address = f"/api/models/{repo_id}/tree/main{rest}?recursive=true&expand=true"
    return {one["path"]: one["lastCommit"]["id"] for one in client.get(address).json()}


def test_each_entry_names_the_revision_that_changed_it_last(
    client: Client, store: Path, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    first = factories.published("acme/line", files={"a": b"1", "b/c": b"1", "d/e": b"1"})
    second = factories.published("acme/line", files={"a": b"1", "b/c": b"2", "d/e": b"1"})
    third = factories.published("acme/line", files={"a": b"1", "b/c": b"2", "d/f": b"1"})
    with django_assert_max_num_queries(6):
        told = last_commits(client, "acme/line")
    expected = {"a": first, "b": second, "b/c": second, "d": third, "d/f": third}
    assert told == {path: revision.sha for path, revision in expected.items()}
    assert last_commits(client, "acme/line", "/b") == {"b/c": second.sha}
    form = {"paths": ["a", "b"], "expand": "true"}
    posted = client.post("/api/models/acme/line/paths-info/main", form).json()
    assert [one["lastCommit"]["title"] for one in posted] == ["Publish", "Publish"]
    plain = client.get("/api/models/acme/line/tree/main").json()
    assert not any("lastCommit" in one for one in plain)
