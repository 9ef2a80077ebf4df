"""The estimate "Will it run?" in the API."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ApiClient
from weights.catalogue import opt_family
from weights.hardware_fit.accelerators import ACCELERATORS

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

OPT = "/checkpoints/facebook/opt-175b/hardware-fit"


def test_accelerators_have_a_memory_and_its_source() -> None:
    listed = ApiClient().get("/accelerators")
    assert [one["key"] for one in listed] == list(ACCELERATORS)
    memories = [one["memory_bytes"] for one in listed]
    assert memories == sorted(memories)
    assert {"key": "a100-80", "memory_bytes": 80 * 10**9}.items() <= listed[8].items()
    assert all(one["source"] and one["url"].startswith("https://") for one in listed)


def test_opt_175b_fits_on_eight_a100() -> None:
    opt_family.load()
    fit = ApiClient().get(f"{OPT}?accelerator=a100-80&count=8&dtype=float16&context=2048&batch=1")
    assert fit["fits"] is True
    assert fit["verdict"] == "Fits on 8 × A100 80 GB, with 34 % free"
    placement = fit["placement"]
    assert placement["weights"] == fit["weights"] == fit["disk"] == 349_208_936_448
    assert placement["key_value_cache"] == 9_663_676_416
    parts = ("weights", "key_value_cache", "activations", "overhead", "free")
    assert sum(placement[part] for part in parts) == placement["total"] == 640 * 10**9
    assert (placement["split"], placement["used"]) == ("tensors", 8)
    assert fit["smallest_tensor_parallel"] == 6
    assert fit["transfer_seconds"]["1 Gbit/s"] == 2794
    assert set(fit["commands"]) == {"vllm", "transformers"}
    assert fit["missing"] == []


def test_parameters_left_out_take_the_defaults() -> None:
    opt_family.load()
    fit = ApiClient().get(OPT)
    chosen = (fit["accelerator"]["key"], fit["count"], fit["dtype"], fit["context"], fit["batch"])
    assert chosen == ("a100-80", 6, "float16", 2048, 1)
    other = ApiClient().get(f"{OPT}?accelerator=other&memory_gb=20&count=35&dtype=float32")
    assert (other["fits"], other["commands"]) == (False, {})
    assert other["accelerator"]["memory_bytes"] == 20 * 10**9
    assert other["weights"] == 698_417_872_896


def test_missing_facts_leave_the_verdict_open(store: Path) -> None:
    factories.published("acme/bare", parameters=10**9)
    fit = ApiClient().get("/checkpoints/acme/bare/hardware-fit")
    assert (fit["fits"], fit["placement"]) == (None, None)
    assert fit["missing"] == ["Layers", "Attention heads", "Model width (d_model)"]
    small = ApiClient().get(
        "/checkpoints/acme/bare/hardware-fit?accelerator=other&memory_gb=1&count=1"
    )
    assert small["fits"] is False


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("accelerator=abacus", "accelerator"),
        ("accelerator=%00", "accelerator"),
        ("accelerator=other", "memory_gb"),
        ("memory_gb=80", "memory_gb"),
        ("memory_gb=many", "memory_gb"),
        ("accelerator=other&memory_gb=nan", "memory_gb"),
        ("count=0", "count"),
        ("count=1.5", "count"),
        ("dtype=float99", "dtype"),
        ("dtype=published", "dtype"),
        ("context=2049", "context"),
        ("batch=100001", "batch"),
    ],
)
def test_a_bad_parameter_is_named(query: str, field: str) -> None:
    opt_family.load()
    payload = ApiClient().get(f"{OPT}?{query}", 422)
    assert payload["code"] == "invalid_request"
    assert payload["errors"][0]["field"] == field


@pytest.mark.requirement("GT-3")
def test_a_hidden_checkpoint_looks_like_a_missing_one(store: Path, release_owner: User) -> None:
    factories.published("acme/private", private=True, parameters=10**9)
    factories.published("acme/later", embargo_until=timezone.now() + timedelta(days=1))
    for name in ("private", "later", "missing"):
        payload = ApiClient().get(f"/checkpoints/acme/{name}/hardware-fit", 404)
        assert payload["code"] == "repository_not_found"
    staff = ApiClient(release_owner, "read-gated")
    assert staff.get("/checkpoints/acme/private/hardware-fit")["weights"] == 2 * 10**9


def test_an_estimate_costs_few_queries(store: Path, django_assert_num_queries: Any) -> None:
    factories.published("acme/bare", parameters=10**9)
    with django_assert_num_queries(3):
        ApiClient().get("/checkpoints/acme/bare/hardware-fit")
