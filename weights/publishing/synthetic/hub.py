"""A tiny OPT in the Hub's layout, as `transformers` loads it."""

import json
from pathlib import Path
from typing import Any

from weights.publishing.synthetic import tokenizer
from weights.publishing.synthetic.safetensors_file import write_safetensors
from weights.publishing.synthetic.values import Tensor, Values

VOCABULARY = 50272
CONTEXT = 2048
POSITION_OFFSET = 2  # OPT's position table has two extra rows
LAYERS, HEADS, WIDTH = 2, 4, 64
FEED_FORWARD = 4 * WIDTH


def write_hub_checkpoint(folder: Path, *, card: str, seed: int = 0) -> None:
    """Writes configuration, tokenizer, `model.safetensors` (7 MB) and the card as README.md."""
    values = Values(seed)
    write_safetensors(folder / "model.safetensors", tensors(), values)
    _write_json(folder / "config.json", _config(values.note))
    ends = {"bos_token_id": 2, "eos_token_id": 2, "pad_token_id": 1}
    _write_json(folder / "generation_config.json", ends)
    _write_json(folder / "vocab.json", tokenizer.vocabulary(), indent=None)
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    _write_json(folder / "special_tokens_map.json", tokenizer.special_tokens())
    _write_json(folder / "tokenizer_config.json", tokenizer.tokenizer_config(CONTEXT))
    (folder / "README.md").write_text(card, encoding="utf-8")


def tensors() -> list[Tensor]:
    """Names and shapes of OPTForCausalLM; the output head shares the token embedding."""
    root = "model.decoder."
    found = [
        Tensor(f"{root}embed_tokens.weight", (VOCABULARY, WIDTH)),
        Tensor(f"{root}embed_positions.weight", (CONTEXT + POSITION_OFFSET, WIDTH)),
        *_affine(f"{root}final_layer_norm", WIDTH),
    ]
    for number in range(LAYERS):
        found += _block(f"{root}layers.{number}.")
    return found


def parameters() -> int:
    return sum(tensor.count for tensor in tensors())


def _block(at: str) -> list[Tensor]:
    projections = ("k_proj", "v_proj", "q_proj", "out_proj")
    found = [
        tensor for name in projections for tensor in _affine(f"{at}self_attn.{name}", WIDTH, WIDTH)
    ]
    found += _affine(f"{at}self_attn_layer_norm", WIDTH)
    found += _affine(f"{at}fc1", FEED_FORWARD, WIDTH)
    found += _affine(f"{at}fc2", WIDTH, FEED_FORWARD)
    return found + _affine(f"{at}final_layer_norm", WIDTH)


def _affine(name: str, *shape: int) -> list[Tensor]:
    """A weight of this shape and its bias, as long as the weight's first axis."""
    return [Tensor(f"{name}.weight", shape), Tensor(f"{name}.bias", shape[:1])]


def _config(note: str) -> dict[str, Any]:
    return {
        "architectures": ["OPTForCausalLM"],
        "model_type": "opt",
        "activation_function": "relu",
        "attention_dropout": 0.0,
        "dropout": 0.1,
        "layerdrop": 0.0,
        "do_layer_norm_before": True,
        "_remove_final_layer_norm": False,
        "enable_bias": True,
        "layer_norm_elementwise_affine": True,
        "init_std": 0.02,
        "hidden_size": WIDTH,
        "word_embed_proj_dim": WIDTH,
        "ffn_dim": FEED_FORWARD,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": CONTEXT,
        "vocab_size": VOCABULARY,
        "tie_word_embeddings": True,
        "bos_token_id": 2,
        "eos_token_id": 2,
        "pad_token_id": 1,
        "prefix": "</s>",
        "use_cache": True,
        "torch_dtype": "float16",
        "synthetic": note,
    }


def _write_json(path: Path, value: Any, indent: int | None = 2) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
