"""The estimate compared with published figures and with its own formulas."""

from dataclasses import replace

import pytest

from weights.catalogue.measured.counting import parameters as counted_parameters
from weights.hardware_fit.dtypes import Dtype, header_bytes, weight_bytes
from weights.hardware_fit.estimate import (
    Need,
    Split,
    by_layers,
    by_tensors,
    place,
    smallest_tensor_parallel,
)

GB = 10**9
#: OPT-175B as released: Zhang et al. 2022, table 1.
OPT_175B = Need(
    weights=349_208_936_448,
    layers=96,
    heads=96,
    kv_heads=96,
    head_dim=128,
    d_model=12_288,
    number_bytes=2,
    context=2048,
    batch=1,
)
#: Llama 2 70B: 80 layers, 64 heads, 8 key-value heads of 128 (Touvron et al. 2023).
LLAMA_2_70B = Need(
    weights=2 * 68_976_648_192,
    layers=80,
    heads=64,
    kv_heads=8,
    head_dim=128,
    d_model=8192,
    number_bytes=2,
    context=4096,
    batch=1,
)


@pytest.mark.parametrize(
    ("parameters", "dtype", "published"),
    [
        (175 * GB, Dtype.FLOAT32, 700 * GB),  # 35 cards of 20 GB
        (175 * GB, Dtype.FLOAT16, 350 * GB),  # 18 cards of 20 GB
        (175 * GB, Dtype.INT8, 175 * GB),
        (174_604_468_224, Dtype.FLOAT16, 349_208_936_448),
        (6_658_473_984, Dtype.BFLOAT16, 13_316_947_968),
        (65 * GB, Dtype.INT4, 36_562_500_000),  # QLoRA: 0.5 bits of scales for each parameter
        (3, Dtype.INT4, 2),  # rounded up to whole bytes
    ],
)
def test_weights_have_the_published_size(parameters: int, dtype: Dtype, published: int) -> None:
    assert weight_bytes(parameters, dtype) == published


def test_175_billion_parameters_at_four_bytes_need_more_than_35_cards_of_20_gb() -> None:
    need = replace(OPT_175B, weights=weight_bytes(175 * GB, Dtype.FLOAT32), number_bytes=4)
    assert need.weights == 35 * 20 * GB  # the weights alone fill 35 cards to the last byte
    for count in (1, 8, 35):
        assert not place(need, count, 20 * GB).fits
    assert smallest_tensor_parallel(need, 20 * GB) == 48


@pytest.mark.parametrize(
    ("count", "memory", "fits"),
    [
        (8, 80, True),  # how OPT-175B is served
        (8, 40, False),
        (16, 40, True),
        (4, 80, False),
        (8, 24, False),
        (1, 192, False),
    ],
)
def test_opt_175b_in_float16(count: int, memory: int, fits: bool) -> None:
    assert place(OPT_175B, count, memory * GB).fits == fits


def test_opt_175b_on_eight_a100_in_numbers() -> None:
    placement = by_tensors(OPT_175B, 8, 80 * GB)
    assert placement.cache == 2 * 96 * 96 * 128 * 2 * 2048 == 9_663_676_416
    assert placement.activations == 8 * 2048 * 12_288 * 13 == 2_617_245_696
    assert placement.overhead == 64 * GB
    assert placement.total == 640 * GB
    assert placement.free == 640 * GB - 64 * GB - 349_208_936_448 - 9_663_676_416 - 2_617_245_696
    assert placement.fullest == -(-(349_208_936_448 + 9_663_676_416) // 8) + 2_617_245_696 // 8


@pytest.mark.parametrize(
    ("need", "for_each_token"),
    [
        (OPT_175B, 4_718_592),  # 4.5 MiB
        (LLAMA_2_70B, 327_680),  # 320 KiB, an eighth of multi-head attention
        (replace(OPT_175B, layers=40, kv_heads=40, heads=40), 819_200),  # 13B: "800 KB" of vLLM
    ],
)
def test_the_cache_of_one_token(need: Need, for_each_token: int) -> None:
    assert replace(need, context=1).cache == for_each_token
    assert need.cache == for_each_token * need.context
    assert replace(need, batch=8).cache == 8 * need.cache


@pytest.mark.parametrize(
    ("heads", "kv_heads", "sizes"),
    [
        (96, 96, [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 96]),
        (56, 56, [1, 2, 4, 7, 8, 14, 28, 56]),  # OPT-30B
        (12, 12, [1, 2, 3, 4, 6, 12]),
        (64, 8, [1, 2, 4, 8, 16, 32, 64]),
        (12, 4, [1, 2, 4, 12]),  # 3 and 6 would cut a key-value head
    ],
)
def test_tensor_parallel_sizes_divide_the_heads(
    heads: int, kv_heads: int, sizes: list[int]
) -> None:
    assert replace(OPT_175B, heads=heads, kv_heads=kv_heads).tensor_parallel_sizes == sizes


def test_key_value_heads_are_copied_above_their_number() -> None:
    assert by_tensors(LLAMA_2_70B, 8, 80 * GB).cache == LLAMA_2_70B.cache
    assert by_tensors(LLAMA_2_70B, 16, 80 * GB).cache == 2 * LLAMA_2_70B.cache


@pytest.mark.parametrize(
    ("memory", "smallest"), [(80, 6), (40, 12), (24, 24), (16, 32), (192, 3), (5, 96), (4, None)]
)
def test_the_smallest_size_fits_and_the_next_smaller_does_not(
    memory: int, smallest: int | None
) -> None:
    assert smallest_tensor_parallel(OPT_175B, memory * GB) == smallest
    sizes = OPT_175B.tensor_parallel_sizes
    for size in sizes:
        fits = by_tensors(OPT_175B, size, memory * GB).fits
        assert fits == (smallest is not None and size >= smallest)


def test_accelerators_that_no_size_uses_stay_idle() -> None:
    placement = place(OPT_175B, 10, 80 * GB)
    assert (placement.split, placement.used) == (Split.TENSORS, 8)


def test_layers_are_split_where_no_tensor_parallel_size_fits() -> None:
    need = replace(OPT_175B, heads=7, kv_heads=7, d_model=8)
    placement = place(need, 6, 80 * GB)
    assert (placement.split, placement.used, placement.fits) == (Split.LAYERS, 6, True)
    assert not by_tensors(need, 1, 80 * GB).fits


def test_the_fullest_accelerator_holds_whole_layers() -> None:
    need = replace(OPT_175B, layers=10, weights=100 * GB, context=1, d_model=1)
    assert by_layers(need, 4, 40 * GB).fullest == pytest.approx(30 * GB, rel=0.01)  # 3 of 10
    assert by_layers(need, 5, 40 * GB).fullest == pytest.approx(20 * GB, rel=0.01)


def test_a_need_beyond_the_memory_leaves_less_than_nothing() -> None:
    placement = place(OPT_175B, 8, 24 * GB)
    assert not placement.fits
    assert placement.free < 0
    assert placement.needed == placement.total - placement.free


@pytest.mark.parametrize(
    ("counts", "size", "parameters"),
    [
        ({"F16": 10, "F32": 1}, 24, 11),
        ({"BF16": 7}, 14, 7),
        ({"I32": 8, "F16": 2}, 36, None),  # packed: an integer holds several parameters
        ({"F8_E4M3": 8}, 8, None),
        ({"F4_NEW": 8}, None, None),
        ({}, None, None),
    ],
)
def test_tensor_headers_give_bytes(
    counts: dict[str, int], size: int | None, parameters: int | None
) -> None:
    assert header_bytes(counts) == size
    assert counted_parameters(counts, "safetensors") == parameters
