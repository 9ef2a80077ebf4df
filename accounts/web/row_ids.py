"""Numbers of rows as browsers send them: plain Python, no records."""


def is_number(text: str) -> bool:
    """Whether it can be the number of a row."""
    return text.isascii() and text.isdecimal() and len(text) <= 18
