"""Facts read from a checkpoint's files: its card, its configuration, its tensors."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.support import factories
from tests.weights.hub_api.listings import card, ids, models, publish, tensors
from weights.catalogue import file_facts, measured
from weights.catalogue.file_facts import RevisionFacts
from weights.catalogue.models import FileFacts
from weights.errors import StorageUnavailable
from weights.integrity import verification
from weights.publishing.models import Revision
from weights.storage import blob_storage
from weights.storage.models import Blob

pytestmark = pytest.mark.django_db


def safetensors_of(client: Client, repo_id: str) -> Any:
    return client.get(f"/api/models/{repo_id}").json().get("safetensors")


def test_shards_are_added_up_and_one_file_wins_over_them(client: Client, store: Path) -> None:
    shards = {
        "model-00001-of-00002.safetensors": tensors(F16=100),
        "model-00002-of-00002.safetensors": tensors(F16=20, F32=3),
        "model.fp32.safetensors": tensors(F32=123),
        "nested/model.safetensors": tensors(F32=123),
    }
    file_facts.read_revision(factories.published("acme/shards", files=shards))
    counts = {"parameters": {"F16": 120, "F32": 3}, "total": 123}
    assert safetensors_of(client, "acme/shards") == counts
    whole = shards | {"model.safetensors": tensors(F16=120)}
    file_facts.read_revision(factories.published("acme/both", files=whole))
    assert safetensors_of(client, "acme/both") == {"parameters": {"F16": 120}, "total": 120}


def test_incomplete_shards_are_not_counted(client: Client, store: Path) -> None:
    shards = {
        f"model-0000{number}-of-00006.safetensors": tensors(F16=number) for number in range(1, 7)
    }
    revision = factories.published("acme/half", files=shards)
    assert safetensors_of(client, "acme/half") is None  # too many to be read during a request
    file_facts.read_revision(revision)
    assert safetensors_of(client, "acme/half") == {"parameters": {"F16": 21}, "total": 21}
    FileFacts.objects.filter(facts={"F16": 3}).update(facts={})
    measured.measure(revision)
    assert safetensors_of(client, "acme/half") is None


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
def test_an_invalid_header_yields_no_facts(client: Client, store: Path, content: bytes) -> None:
    file_facts.read_revision(factories.published("acme/odd", files={"model.safetensors": content}))
    assert safetensors_of(client, "acme/odd") is None
    assert FileFacts.objects.get().facts == {}


def test_a_hostile_card_and_configuration_are_stored_harmlessly(
    client: Client, store: Path
) -> None:
    hostile = b'---\ntags: ["a\\0b", "x\\ny", "' + b"t" * 300 + b'"]\nn: 0x' + b"f" * 99
    revision = factories.published(
        "acme/odd",
        files={
            "README.md": hostile + b"\nlicense: [1]\npipeline_tag: 4\n---\n",
            "config.json": b'{"model_type": "a\\u0000\\ud800", "architectures": [1]}',
        },
    )
    file_facts.read_revision(revision)
    (payload,) = models(client, "?cardData=true&config=true&full=true")
    assert payload["cardData"]["n"] == "0x" + "f" * 99
    assert "\0" not in json.dumps(payload)
    assert ids(client, "?filter=x%20y") == ["acme/odd"]


def test_a_large_header_is_read_whole(client: Client, store: Path) -> None:
    many = {f"layer.{n}.weight": {"dtype": "F32", "shape": [2, 2]} for n in range(5000)}
    payload = json.dumps(many).encode()
    assert len(payload) > 200_000
    file_facts.read_revision(
        factories.published(
            "acme/large", files={"model.safetensors": struct.pack("<Q", len(payload)) + payload}
        )
    )
    assert safetensors_of(client, "acme/large") == {"parameters": {"F32": 20_000}, "total": 20_000}


def test_each_content_is_read_once(
    client: Client, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("acme/first", README_DOT_md=card(tags=["same"]))
    # To be called is to fail.
    monkeypatch.setattr("weights.catalogue.file_facts._read", lambda *_: pytest.fail("read again"))
    publish("acme/second", README_DOT_md=card(tags=["same"]))
    assert set(ids(client, "?filter=same")) == {"acme/first", "acme/second"}


def test_one_content_under_two_names_is_read_as_each(store: Path) -> None:
    both = {"README.md": b"{}", "config.json": b"{}"}
    revision = factories.published("acme/twins", files=both)
    file_facts.read_revision(revision)
    assert set(FileFacts.objects.values_list("kind", flat=True)) == {"card", "config"}
    assert file_facts.revision_facts(revision) == RevisionFacts()


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
        assert safetensors_of(client, "acme/late") is None
        assert ids(client) == ["acme/late"]
    assert ids(client, "?filter=late") == []
    lost = factories.published("acme/lost", files={"README.md": card(tags=["lost"])})
    blob_storage().delete(lost.files.get().sha256)
    file_facts.sweep()
    assert ids(client, "?filter=late") == ["acme/late"]
    assert set(FileFacts.objects.values_list("tags", flat=True)) == {"\nlate\n"}
