"""A decoder's architecture from a `config.json` or a GGUF header, by the keys of facts."""

from collections.abc import Mapping
from typing import Any

from accounts.web.sanitize import storable_value

#: Fact -> its names in configurations, in order of preference.
_IN_CONFIG = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "heads": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
    "kv_heads": ("num_key_value_heads", "num_kv_heads", "multi_query_group_num"),
    "d_model": ("hidden_size", "n_embd", "d_model"),
    "head_dim": ("head_dim", "d_kv"),
    "ffn_dim": ("intermediate_size", "ffn_dim", "n_inner", "d_ff"),
    "context_length": ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"),
    "vocab_rows": ("vocab_size",),
}
#: The same in a GGUF header, below the name of the architecture.
_IN_GGUF = {
    "layers": ("block_count",),
    "heads": ("attention.head_count",),
    "kv_heads": ("attention.head_count_kv",),
    "d_model": ("embedding_length",),
    "head_dim": ("attention.key_length",),
    "ffn_dim": ("feed_forward_length",),
    "context_length": ("context_length",),
    "vocab_rows": ("vocab_size",),
}
_MAX_TEXT, _MAX_NAMES = 100, 8


def of_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """`architectures`, `model_type` and the numbers of a configuration; invalid values are omitted.

    Multimodal models describe their decoder under `text_config`.
    """
    nested = values.get("text_config")
    decoder = {**nested, **values} if isinstance(nested, dict) else values
    found = _numbers(decoder, _IN_CONFIG)
    if decoder.get("multi_query") is True and "num_kv_heads" not in decoder:
        found["kv_heads"] = 1
    names = values.get("architectures")
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        found["architectures"] = [name[:_MAX_TEXT] for name in names[:_MAX_NAMES]]
    if isinstance(values.get("model_type"), str):
        found["model_type"] = values["model_type"][:_MAX_TEXT]
    storable: dict[str, Any] = storable_value(found)
    return storable


def of_gguf(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The same from the metadata that the inspection of a GGUF file returns."""
    found = _numbers(metadata, _IN_GGUF)
    if isinstance(metadata.get("architecture"), str):
        found["model_type"] = metadata["architecture"][:_MAX_TEXT]
    storable: dict[str, Any] = storable_value(found)
    return storable


def _numbers(
    values: Mapping[str, Any], names_by_fact: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for fact, names in names_by_fact.items():
        numbers = (values.get(name) for name in names)
        number = next((one for one in numbers if type(one) is int and 0 < one < 2**63), None)
        if number is not None:
            found[fact] = number
    return found
