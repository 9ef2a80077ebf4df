"""Detects tar archives, PyTorch's oldest layout, which `torch.load` tries first.

An archive begins with a member's name, so its first bytes can also look like a zip or a pickle.
Only the checksum of the first block identifies it.
"""

import struct

BLOCK = 512
_CHECKSUM = slice(148, 156)
#: First bytes of a number in base 256.
_BASE_256 = {0o200, 0o377}


def is_tar(head: bytes) -> bool:
    """True if Python's `tarfile` may find a member at the start of `head`.

    An archive that begins with its end marker, a block of zeros, has no member.
    """
    block = head[:BLOCK]
    return len(block) == BLOCK and _number(block[_CHECKSUM]) in _checksums(block)


def _checksums(block: bytes) -> tuple[int, int]:
    """The unsigned and the historical signed sum, with the checksum field counted as blanks."""
    unsigned = 8 * ord(" ") + sum(struct.unpack_from("148B8x356B", block))
    return unsigned, 8 * ord(" ") + sum(struct.unpack_from("148b8x356b", block))


def _number(field: bytes) -> int | None:
    if field[0] in _BASE_256:
        return int.from_bytes(field[1:]) - (256**7 if field[0] == 0o377 else 0)
    try:
        return int(field.partition(b"\0")[0].decode("ascii").strip() or "0", 8)
    except ValueError:
        return None
