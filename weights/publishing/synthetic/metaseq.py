"""Training shards under the file names of the OPT-175B release."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from weights.publishing.synthetic.torch_zip import write_torch
from weights.publishing.synthetic.values import WIDTH, Tensor, Values

PARTS = 8  # tensor-parallel ranks
SHARDS = 124  # hosts of eight accelerators: 8 x 124 = 992 files
SHARD_BYTES = 65536
_VECTORS = 2
_OVERHEAD = 800  # maximum size of the zip and pickle framing, in values


def shard_names() -> Iterator[tuple[int, int, str]]:
    """Part, shard and file name of all 992, in the order of the published script."""
    for part in range(PARTS):
        for shard in range(SHARDS):
            yield part, shard, f"checkpoint_last-model_part-{part}-shard{shard}.pt"


def write_metaseq_checkpoint(folder: Path, *, card: str, seed: int = 0) -> None:
    """Writes 992 shards of just under 64 KiB, `md5sum_shards.csv`, and the card as README.md."""
    values = Values(seed)
    lines = ["shard,md5sum\n"]
    for part, shard, name in shard_names():
        _write_shard(folder / name, part, shard, values)
        digest = hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest()
        lines.append(f"{name},{digest}\n")
    (folder / "md5sum_shards.csv").write_text("".join(lines), encoding="utf-8")
    (folder / "README.md").write_text(card, encoding="utf-8")


def _write_shard(path: Path, part: int, shard: int, values: Values) -> None:
    """Writes one file; sharded training stores flat slices as vectors of any length."""
    length = (SHARD_BYTES // WIDTH - _OVERHEAD) // _VECTORS
    model = {
        f"decoder.layers.{number}.flat_param_0": Tensor(f"{part}/{shard}/{number}", (length,))
        for number in range(_VECTORS)
    }
    payload = {"synthetic": values.note, "model_part": part, "shard": shard, "model": model}
    write_torch(path, payload, values)
