"""A byte-level tokenizer: any text can be encoded, any token decoded, and nothing is merged."""

from typing import Any

ENTRIES = 50265
_SPECIAL = {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}


def vocabulary() -> dict[str, int]:
    """The four special tokens, the 256 bytes, and made-up tokens that fill the table."""
    tokens = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    for symbol in _byte_symbols():
        tokens[symbol] = len(tokens)
    while len(tokens) < ENTRIES:
        tokens[f"\u0120synthetic{len(tokens):05d}"] = len(tokens)
    return tokens


def special_tokens() -> dict[str, str]:
    return dict(_SPECIAL)


def tokenizer_config(context: int) -> dict[str, Any]:
    return {
        "tokenizer_class": "GPT2Tokenizer",
        "add_bos_token": True,
        "add_prefix_space": False,
        "errors": "replace",
        "model_max_length": context,
        **_SPECIAL,
    }


def _byte_symbols() -> list[str]:
    """The printable characters by which byte-level BPE spells the 256 bytes."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    spare = iter(range(256, 512))
    return [chr(byte if byte in printable else next(spare)) for byte in range(256)]
