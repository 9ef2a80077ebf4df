"""Accelerators to choose from, with the memory that their manufacturers state."""

from dataclasses import dataclass
from decimal import Decimal

GIGABYTE = 10**9
#: The choice of an accelerator that is not in the list.
OTHER = "other"


@dataclass(frozen=True)
class Accelerator:
    """One device; `memory` is in bytes.

    Data sheets say GB, taken as 10^9 bytes. A device whose manufacturer means GiB has up to 7 %
    more, so the estimate errs on the safe side.
    """

    key: str
    name: str
    memory: int
    source: str = ""
    url: str = ""


def _nvidia(key: str, name: str, gigabytes: int, page: str) -> Accelerator:
    url = f"https://www.nvidia.com/en-us/{page}/"
    return Accelerator(key, name, gigabytes * GIGABYTE, "NVIDIA, product page", url)


def _amd(key: str, name: str, gigabytes: int, page: str, note: str = "") -> Accelerator:
    url = f"https://www.amd.com/en/products/accelerators/instinct/{page}.html"
    return Accelerator(key, name, gigabytes * GIGABYTE, f"AMD, product page{note}", url)


#: By key, in display order (by memory).
ACCELERATORS = {
    accelerator.key: accelerator
    for accelerator in (
        _nvidia("t4-16", "T4 16 GB", 16, "data-center/tesla-t4"),
        _nvidia("v100-16", "V100 16 GB", 16, "data-center/v100"),
        _nvidia(
            "rtx3090-24", "RTX 3090 24 GB", 24, "geforce/graphics-cards/30-series/rtx-3090-3090ti"
        ),
        _nvidia("rtx4090-24", "RTX 4090 24 GB", 24, "geforce/graphics-cards/40-series/rtx-4090"),
        _nvidia("v100-32", "V100 32 GB", 32, "data-center/v100"),
        _nvidia("a100-40", "A100 40 GB", 40, "data-center/a100"),
        _nvidia("l40s-48", "L40S 48 GB", 48, "data-center/l40s"),
        _amd("mi250-64", "MI250 64 GB die", 64, "mi200/mi250", "; 128 GB in two dies, two devices"),
        _nvidia("a100-80", "A100 80 GB", 80, "data-center/a100"),
        _nvidia("h100-80", "H100 80 GB", 80, "data-center/h100"),
        _nvidia("h200-141", "H200 141 GB", 141, "data-center/h200"),
        _amd("mi300x-192", "MI300X 192 GB", 192, "mi300/mi300x"),
    )
}


def other(gigabytes: Decimal) -> Accelerator:
    """An accelerator with this memory in GB (10^9 bytes)."""
    return Accelerator(OTHER, f"{gigabytes.normalize():f} GB", int(gigabytes * GIGABYTE))
