"""Converts TeX formulas to MathML, which browsers render without a script."""

import contextlib
from typing import Any

from django.utils.html import escape
from latex2mathml import converter

#: Characters; longer formulas are shown as TeX.
_MAX_LENGTH = 2000


def to_mathml(tex: str, options: dict[str, Any]) -> str:
    """Returns MathML, which must be sanitised, or the escaped TeX if conversion fails."""
    if len(tex) <= _MAX_LENGTH:
        # The library raises many kinds of exceptions for malformed TeX.
        with contextlib.suppress(Exception):
            return converter.convert(tex, display="block" if options["display_mode"] else "inline")
    return f"<code>{escape(tex)}</code>"


to_mathml("x", {"display_mode": False})  # loads the symbol tables before the sandbox starts
