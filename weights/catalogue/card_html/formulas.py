"""Formulas in TeX to MathML, which browsers draw without a script."""

import contextlib
from typing import Any

from django.utils.html import escape
from latex2mathml import converter

#: Characters; longer formulas are shown as they were written.
_MAX_LENGTH = 2000


def to_mathml(tex: str, options: dict[str, Any]) -> str:
    """MathML, which must be sanitised; the escaped formula if it cannot be converted."""
    if len(tex) <= _MAX_LENGTH:
        # The library raises exceptions of many kinds for malformed TeX.
        with contextlib.suppress(Exception):
            return converter.convert(tex, display="block" if options["display_mode"] else "inline")
    return f"<code>{escape(tex)}</code>"


to_mathml("x", {"display_mode": False})  # loads the tables of symbols before the sandbox begins
