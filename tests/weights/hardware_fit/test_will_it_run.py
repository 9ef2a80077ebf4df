"""The page "Will it run?" and the panel of a checkpoint."""

import json
import struct
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.catalogue import file_facts, opt_family
from weights.catalogue.models import Checkpoint

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

PAGE = "/will-it-run"
OPT = f"{PAGE}?checkpoint=facebook/opt-175b"
FACTS = {
    key: {"value": value}
    for key, value in {"layers": 2, "heads": 4, "d_model": 64, "context_length": 128}.items()
}


def text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def tensors(**elements: int) -> bytes:
    """A safetensors file with one tensor of each dtype and this many elements."""
    header = json.dumps(
        {
            f"of {dtype}": {"dtype": dtype, "shape": [count], "data_offsets": [0, 0]}
            for dtype, count in elements.items()
        }
    ).encode()
    return struct.pack("<Q", len(header)) + header


@pytest.fixture
def opt(db: None) -> None:
    opt_family.load()


@pytest.mark.usefixtures("opt")
class TestOPT:
    def test_the_verdict_comes_first(self, client: Client) -> None:
        page = text(client, f"{OPT}&accelerator=a100-80&count=8&dtype=float16&context=2048&batch=1")
        assert "Fits on 8 × A100 80 GB, with 34 % free." in page
        assert page.index("Fits on 8") < page.index("<form class=")
        assert 'aria-label="Memory: weights 55 %, key-value cache 2 %' in page
        assert "6 is the smallest size that divides the 96 heads and fits" in page
        assert "--tensor-parallel-size 8" in page
        assert "174,604,468,224 × 16 / 8" in page

    def test_a_need_beyond_the_memory_does_not_fit(self, client: Client) -> None:
        page = text(client, f"{OPT}&accelerator=rtx4090-24&count=8")
        assert "Does not fit on 8 × RTX 4090 24 GB." in page
        assert "vllm serve" not in page
        assert "The line marks the available memory." in page

    def test_700_gb_do_not_fit_on_cards_of_20_gb(self, client: Client) -> None:
        query = "&accelerator=other&memory_gb=20&count=35&dtype=float32"
        page = text(client, f"{OPT}{query}")
        assert "Does not fit on 35 × 20 GB." in page
        assert "698,417,872,896" in page

    def test_without_a_choice_the_defaults_are_those_of_the_panel(self, client: Client) -> None:
        verdict = "Fits on 6 × A100 80 GB, with 15 % free."
        assert verdict in text(client, OPT)
        panel = text(client, "/facebook/opt-175b")
        assert verdict in panel
        assert 'href="/will-it-run?checkpoint=facebook/opt-175b"' in panel

    def test_a_small_model_gets_the_smallest_accelerator(self, client: Client) -> None:
        assert "Fits on 1 × T4 16 GB" in text(client, "/facebook/opt-125m")

    def test_disk_and_transfer_are_stated(self, client: Client) -> None:
        page = text(client, OPT)
        assert "349.2 GB (325.2 GiB)" in page
        assert "7 h 46 min at 100 Mbit/s" in page
        assert "47 min at 1 Gbit/s" in page
        assert "The weights are not published here." in page
        assert "HF_ENDPOINT" not in page

    def test_missing_facts_are_named(self, client: Client) -> None:
        checkpoint = Checkpoint.objects.get(name="opt-66b")
        del checkpoint.facts["layers"], checkpoint.facts["heads"]
        checkpoint.save()
        here = f"{PAGE}?checkpoint=facebook/opt-66b&accelerator=a100-80"
        cannot_tell = "layers and attention heads are not stated"
        assert f"Cannot tell for 8 × A100 80 GB: {cannot_tell}." in text(client, f"{here}&count=8")
        too_large = text(client, f"{here}&count=1")
        assert "Does not fit on 1 × A100 80 GB." in too_large  # the weights alone are too large
        assert "Layers and attention heads are not stated." in too_large
        assert cannot_tell in text(client, "/facebook/opt-66b")
        checkpoint.parameters, checkpoint.facts = None, {}
        checkpoint.save()
        assert "parameters, layers, attention heads and model width (d_model) are not" in text(
            client, f"{here}&count=8"
        )

    def test_assumptions_are_stated(self, client: Client) -> None:
        assert "key-value heads is not stated" in text(client, OPT)
        checkpoint = Checkpoint.objects.get(name="opt-175b")
        checkpoint.facts["kv_heads"] = {"value": 8}
        checkpoint.save()
        page = text(client, OPT)
        assert "key-value heads is not stated" not in page
        assert "2 × 96 × 8 × 128" in page

    @pytest.mark.parametrize(
        ("query", "error"),
        [
            ("accelerator=abacus", "abacus is not in the list of accelerators."),
            ("accelerator=other", "Enter the memory of each accelerator."),
            ("accelerator=t4-16&memory_gb=80", "Choose Other to enter a memory"),
            ("accelerator=other&memory_gb=0", "greater than or equal to 0.5"),
            ("accelerator=other&memory_gb=nan", "Enter a number."),
            ("accelerator=other&memory_gb=1e99", "Ensure"),
            ("count=0", "greater than or equal to 1"),
            ("count=9999999999999999999999", "less than or equal to 1024"),
            ("count=eight", "Enter a whole number."),
            ("dtype=float99", "float99 is not in the list of dtypes."),
            ("dtype=published", "published is not in the list of dtypes."),
            ("context=2049", "This checkpoint reads at most 2,048 tokens."),
            ("context=", "This field is required."),
            ("batch=-1", "greater than or equal to 1"),
        ],
    )
    def test_a_bad_value_gets_a_clear_error(self, client: Client, query: str, error: str) -> None:
        page = text(client, f"{OPT}&{query}")
        assert error in page
        assert "Please look at these answers" in page
        assert "Fits on" not in page

    def test_typed_values_stay_in_the_form(self, client: Client) -> None:
        page = text(client, f"{OPT}&accelerator=other&memory_gb=30.5&count=eight&context=99")
        for value in ("30.5", "eight", "99"):
            assert f'value="{value}"' in page
        assert '<option value="other" selected>' in page
        assert '<option value="facebook/opt-175b" selected>' in page

    def test_the_page_starts_with_the_form_alone(self, client: Client) -> None:
        page = text(client, PAGE)
        assert "Choose a checkpoint" in page
        assert "Please look at these answers" not in page
        assert "There is no checkpoint" in text(client, f"{PAGE}?checkpoint=facebook/opt-999b")

    def test_the_number_of_queries_does_not_depend_on_the_checkpoints(
        self, client: Client, django_assert_num_queries: Any
    ) -> None:
        with django_assert_num_queries(1):
            client.get(OPT)


def test_published_bytes_come_from_tensor_headers(client: Client, store: Path) -> None:
    files = {
        "model.safetensors": tensors(BF16=3_000_000_000, F32=500_000_000),
        "config.json": b"{}",
    }
    revision = factories.published("acme/mixed", files=files, facts=FACTS)
    file_facts.read_revision(revision)
    page = text(client, f"{PAGE}?checkpoint=acme/mixed&accelerator=a100-40&count=1")
    assert "3,000,000,000 BF16 + 500,000,000 F32" in page
    assert "8,000,000,000" in page
    assert "--dtype bfloat16" in page
    assert "vllm serve acme/mixed" in page
    assert "HF_ENDPOINT" in page
    assert "HF_TOKEN" not in page
    halved = text(client, f"{PAGE}?checkpoint=acme/mixed&dtype=float16")
    assert "3,500,000,000 × 16 / 8" in halved
    assert revision.sha[:12] in halved  # the disk


def test_files_that_programs_cannot_load_are_converted_first(
    client: Client, gated_tier: Tier, store: Path
) -> None:
    factories.published("acme/shards", gated_tier, {"a.pt": b"1"}, facts=FACTS, parameters=10**9)
    page = text(client, f"{PAGE}?checkpoint=acme/shards")
    assert "have no <code>config.json</code>" in page
    assert "vllm serve ./shards" in page


def test_a_gated_checkpoint_needs_a_token(client: Client, gated_tier: Tier, store: Path) -> None:
    factories.published("acme/gated", gated_tier, facts=FACTS, parameters=10**9)
    assert "export HF_TOKEN=hf_wb…" in text(client, f"{PAGE}?checkpoint=acme/gated")


@pytest.mark.requirement("GT-3")
def test_hidden_checkpoints_are_neither_listed_nor_assessed(
    client: Client, store: Path, release_owner: User
) -> None:
    shared: dict[str, Any] = {"facts": FACTS, "parameters": 10**9}
    factories.published("acme/private", private=True, **shared)
    factories.published("acme/later", embargo_until=timezone.now() + timedelta(days=1), **shared)
    for name in ("private", "later", "missing"):
        page = text(client, f"{PAGE}?checkpoint=acme/{name}")
        assert "There is no checkpoint with this name." in page
        assert f"acme/{name}" not in page
        assert "Fits on" not in page
    client.force_login(release_owner)
    for name in ("private", "later"):
        assert "Fits on" in text(client, f"{PAGE}?checkpoint=acme/{name}")


def test_a_published_checkpoint_costs_few_queries(
    client: Client, store: Path, django_assert_num_queries: Any
) -> None:
    for number in range(3):
        factories.published(f"acme/m{number}", facts=FACTS, parameters=10**9)
    with django_assert_num_queries(3):
        assert "Fits on" in text(client, f"{PAGE}?checkpoint=acme/m1")
