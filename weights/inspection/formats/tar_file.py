"""A tar archive, told from other bytes: PyTorch's oldest layout, which `torch.load` tries first.

The first bytes of an archive are a member's name, so they can be a zip, a pickle or anything else
besides. Only the sum over the first block tells.
"""

import struct

BLOCK = 512
_SUM = slice(148, 156)
#: First bytes of a number that is kept in base 256.
_WIDE = {0o200, 0o377}


def is_tar(head: bytes) -> bool:
    """Whether Python's `tarfile` may find a member at the start of these first bytes.

    An archive that begins with its end, a block of zeros, has no member to load.
    """
    block = head[:BLOCK]
    return len(block) == BLOCK and _number(block[_SUM]) in _sums(block)


def _sums(block: bytes) -> tuple[int, int]:
    """Over all bytes but the sum's own, which count as blanks: unsigned, and signed as once."""
    plain = 8 * ord(" ") + sum(struct.unpack_from("148B8x356B", block))
    return plain, 8 * ord(" ") + sum(struct.unpack_from("148b8x356b", block))


def _number(field: bytes) -> int | None:
    if field[0] in _WIDE:
        return int.from_bytes(field[1:]) - (256**7 if field[0] == 0o377 else 0)
    try:
        return int(field.partition(b"\0")[0].decode("ascii").strip() or "0", 8)
    except ValueError:
        return None
