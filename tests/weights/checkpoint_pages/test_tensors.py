"""The list of tensors on a file's page."""

import json
import struct
from collections.abc import Mapping
from typing import Any

import pytest
from django.test import Client

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.inspection.gguf_files import gguf
from weights.checkpoint_pages import tensors
from weights.ledger.models import Download
from weights.publishing.models import Revision

pytestmark = [pytest.mark.one_database, pytest.mark.usefixtures("store")]


def safetensors(shapes: Mapping[str, list[int]]) -> bytes:
    """A file of F16 tensors with these shapes."""
    header: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * shape[0] * shape[1]
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [begin, end]}
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + bytes(end)


WEIGHTS = safetensors({f"layers.{n}.{part}": [2, n + 1] for n in range(120) for part in "kq"})
FILES = {
    "model.safetensors": WEIGHTS,
    "model.gguf": gguf(),
    "broken.safetensors": b"\xff" * 64,
    "config.json": b"{}",
}


def page(client: Client, name: str, query: str = "", repo: str = "acme/tensors") -> str:
    answer = client.get(f"/{repo}/blob/main/{name}{query}")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def revision(open_tier: Tier) -> Revision:
    return factories.published("acme/tensors", files=FILES)


@pytest.mark.slow
def test_a_safetensors_file_lists_its_tensors_by_page(client: Client, revision: Revision) -> None:
    shown = page(client, "model.safetensors")
    assert "240 tensors" in shown
    assert shown.index("<code>layers.9.q</code>") < shown.index("<code>layers.10.k</code>")
    assert "[2, 10]" in shown
    assert "<code>layers.50.k</code>" not in shown
    assert "<code>layers.50.k</code>" in page(client, "model.safetensors", "?page=2")
    for number in ("0", "-1", "999", "x", "9" * 30, "٣"):
        assert "240 tensors" in page(client, "model.safetensors", f"?page={number}")


def test_the_list_is_filtered_by_name_and_type(client: Client, revision: Revision) -> None:
    shown = page(client, "model.safetensors", "?q=LAYERS.7+f16")
    assert "22 of 240 tensors match" in shown
    assert "<code>layers.79.k</code>" in shown
    assert "<code>layers.8.k</code>" not in shown
    assert 'href="?q=.k&amp;page=2"' in page(client, "model.safetensors", "?q=.k")
    shown = page(client, "model.safetensors", "?q=%3Cscript%3E%00%F0")
    assert "0 of 240 tensors match" in shown
    assert "<script>\ufffd" not in shown


def test_a_gguf_file_lists_its_tensors(client: Client, revision: Revision) -> None:
    shown = page(client, "model.gguf")
    assert "<code>blk.0.attn_q.weight</code>" in shown
    assert ">Q4_0<" in shown
    assert "[64, 8]" in shown


def test_hidden_characters_in_a_name_are_escaped(client: Client, open_tier: Tier) -> None:
    names = {"a\u202eb<i>": [1, 1], "\ud800": [1, 1]}
    factories.published("acme/names", files={"m.safetensors": safetensors(names)})
    shown = page(client, "m.safetensors", repo="acme/names")
    assert "a\\u202eb&lt;i&gt;" in shown
    assert "\u202e" not in shown


def test_other_files_and_damaged_headers_list_none(
    client: Client, revision: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 'id="tensors"' not in page(client, "broken.safetensors")
    assert 'id="tensors"' not in page(client, "config.json")
    # A header that is really this long would make the test slow.
    monkeypatch.setattr(tensors, "MAX_BYTES", 1000)
    assert 'id="tensors"' not in page(client, "model.safetensors")


def test_names_of_gated_tensors_are_shown_to_holders_only(
    client: Client, gated_tier: Tier, applicant: User
) -> None:
    factories.published("acme/gated", tier=gated_tier, files=FILES)
    assert "layers.0.k" not in page(client, "model.safetensors", repo="acme/gated")
    assert not Download.objects.exists()
    grant = factories.grant(applicant, gated_tier)
    client.force_login(applicant)
    assert "layers.0.k" in page(client, "model.safetensors", repo="acme/gated")
    row = Download.objects.get()
    (length,) = struct.unpack("<Q", WEIGHTS[:8])
    assert (row.grant_id, row.outcome, row.length) == (grant.pk, "shown", 8 + length)
