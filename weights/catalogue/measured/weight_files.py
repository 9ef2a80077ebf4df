"""Finds a revision's weight files, and selects those whose parameters are counted."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from weights.inspection.families import PICKLE, SAFETENSORS, family_of

#: Format -> label, in the order of display.
FORMATS = {
    "safetensors": "safetensors",
    "pytorch": "PyTorch",
    "gguf": "GGUF",
    "onnx": "ONNX",
    "keras": "Keras and HDF5",
    "flax": "Flax",
    "tflite": "TensorFlow Lite",
}
_OF_FAMILY = {
    **{SAFETENSORS: "safetensors", PICKLE: "pytorch", "gguf": "gguf", "onnx": "onnx"},
    **{"h5": "keras", "hdf5": "keras", "keras": "keras", "msgpack": "flax", "tflite": "tflite"},
}
#: Files that are named like weights but are not.
_NO_WEIGHTS = re.compile(r"(.*/)?(training_args|optimizer|scheduler|rng_state\w*|scaler)\.\w+")
SAFETENSORS_FILE, _PYTORCH_FILE = "model.safetensors", "pytorch_model.bin"
SAFETENSORS_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
_PYTORCH_SHARD = re.compile(r"pytorch_model-\d+-of-\d+\.bin")
_GGUF_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}\.gguf")


class WeightFile(NamedTuple):
    """A file of a revision; `part` is its model-parallel part, if any; `size` is in bytes."""

    path: str
    part: int | None
    blob_id: int
    size: int


def format_of(path: str) -> str:
    """The format of a weight file, a key of FORMATS; empty for other files."""
    return "" if _NO_WEIGHTS.fullmatch(path) else _OF_FAMILY.get(family_of(path), "")


def formats_of(paths: Sequence[str]) -> list[str]:
    """The formats of these files, in display order."""
    found = {format_of(path) for path in paths}
    return [name for name in FORMATS if name in found]


def counted_files(files: Sequence[WeightFile]) -> list[WeightFile]:
    """The files that together contain the model once, possibly in model-parallel parts.

    Prefers one file to shards, and safetensors to PyTorch to GGUF; of several GGUF files, which are
    quantisations, takes the first by name. Otherwise the only weight file.
    """
    by_path = {file.path: file for file in files}
    for whole, shard in ((SAFETENSORS_FILE, SAFETENSORS_SHARD), (_PYTORCH_FILE, _PYTORCH_SHARD)):
        if whole in by_path:
            return [by_path[whole]]
        if shards := [file for file in files if shard.fullmatch(file.path)]:
            return shards
    if parts := [file for file in files if file.part is not None]:
        return parts
    weights = [file for file in files if format_of(file.path)]
    if ggufs := sorted(file for file in weights if file.path.lower().endswith(".gguf")):
        first = _GGUF_SHARD.fullmatch(ggufs[0].path)
        return [file for file in ggufs if _is_shard_of(first, file)] if first else ggufs[:1]
    return weights if len(weights) == 1 else []


def _is_shard_of(first: re.Match[str], file: WeightFile) -> bool:
    match = _GGUF_SHARD.fullmatch(file.path)
    return match is not None and match[1] == first[1]
