"""Validates primary keys from requests. Plain Python."""


def is_row_id(text: str) -> bool:
    """True for up to 18 ASCII digits, which every database accepts as a key."""
    return text.isascii() and text.isdecimal() and len(text) <= 18
